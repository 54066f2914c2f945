"""How every command ends: one way to refuse what was given, and one set of exit codes: pytest's, but for a stop."""

import argparse
import io
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from parity.core.errors import JobError, is_outside, told

FAILED = 1
BROKEN = 3
USAGE_ERROR = 4
# What shells report of a process that Ctrl-C ended: 128 and the number of the signal.
STOPPED = 130
EXIT_CODES = (
    "exit codes: 0 all is well; 1 it is not; 3 the suite itself failed; 4 what was given cannot be used; 130 stopped"
)
ASK_FOR_REPORT = (
    "this is an error of pnasnet-parity itself and says nothing of what was judged: please report it, with the "
    "traceback and the command"
)


class Parser(argparse.ArgumentParser):
    """argparse's parser, with a bad argument ending as any other bad input, and the exit codes told by --help."""

    def __init__(self, prog: str, description: str | None = None, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"{epilog}\n\n{EXIT_CODES}" if epilog else EXIT_CODES,
            # Lines stay as they are written; argparse would fill them up to one paragraph.
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does; in a path, `~` is the home folder, which a shell leaves behind an equals sign."""
        parsed, unknown = super().parse_known_args(args, namespace)
        for name, value in vars(parsed).items():
            if isinstance(value, Path):
                setattr(parsed, name, value.expanduser())
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with the code for bad input; argparse's own is 2."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Return a type for an argument: a whole number from `least` to `most`."""

    def parsed(text: str) -> int:
        """Return the number. Raise ArgumentTypeError, which argparse tells, for one that is none of these."""
        bounds = f"from {least} to {most:,}" if most < math.inf else f"of at least {least}"
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text}: expected a whole number {bounds}")
        return int(text)

    return parsed


def run(main: Callable[[Sequence[str] | None], int], prog: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command `main`, and return its exit code; what lies outside the program is told in a sentence on stderr.

    Where nobody reads on what is printed, as behind `| head`, the command is stopped without a word. An error of its
    own is told as it is, with a request to report it.
    """
    _make_streams_safe()
    try:
        with stopped_by_termination(), _flushing():
            return main(arguments)
    except BrokenPipeError:
        return STOPPED
    except JobError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return FAILED
    except Exception as error:
        if is_outside(error):
            print(f"{prog}: {told(error)}", file=sys.stderr)
            return USAGE_ERROR
        traceback.print_exc()
        print(f"{prog}: {ASK_FOR_REPORT}", file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return STOPPED


def _make_streams_safe() -> None:
    """Let standard output show characters that its encoding lacks by their numbers, as standard error does.

    A stream that was closed before the program began, as by `>&-`, takes everything and shows nothing.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def stopped_by_termination() -> Iterator[None]:
    """Let SIGTERM stop what runs as Ctrl-C does: the system's own way would leave files that are half written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def _flushing() -> Iterator[None]:
    """Write at the end what was printed, however that comes: when Python itself ends, errors cannot be told."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            # What is left is given up: written once more when Python ends, it would fail once more, with another code.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
