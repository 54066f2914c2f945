"""How every command ends: one way to refuse what was given, and one set of exit codes: pytest's, but for a stop."""

import argparse
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from parity.core.errors import InputError, JobError
from pnasnet_torch.errors import WeightsError

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

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with the code for bad input; argparse's own is 2."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def run(main: Callable[[Sequence[str] | None], int], prog: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command `main`, and return its exit code; what lies outside the program is told in a sentence on stderr.

    Where nobody reads on what is printed, as behind `| head`, the command is stopped without a word. An error of its
    own is told as it is, with a request to report it.
    """
    _escape_what_cannot_be_shown()
    try:
        with stopped_by_termination(), _flushing():
            return main(arguments)
    except BrokenPipeError:
        return STOPPED
    except JobError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return FAILED
    except (InputError, WeightsError, OSError) as error:
        print(f"{prog}: {told(error)}", file=sys.stderr)
        return USAGE_ERROR
    except MemoryError as error:
        print(f"{prog}: this machine has too little memory: {error}".rstrip(": "), file=sys.stderr)
        return USAGE_ERROR
    except Exception:
        traceback.print_exc()
        print(f"{prog}: {ASK_FOR_REPORT}", file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return STOPPED


def _escape_what_cannot_be_shown() -> None:
    """Let standard output show characters that its encoding lacks by their numbers, as standard error does."""
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


def told(error: Exception) -> str:
    """Return an error in words: of the system's own, the file and the reason, without a number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
