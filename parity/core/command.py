"""How every command ends: one way to refuse what was given, and one set of exit codes: pytest's, but for a stop."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from parity.core.errors import InputError
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
    """Run the command `main`, and return its exit code.

    Input that it cannot use is told in a sentence on stderr, and an error of its own as it is, with a request to report
    it.
    """
    try:
        return main(arguments)
    except (InputError, WeightsError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
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
