"""How every command ends: one way to refuse what was given, and one set of exit codes, which are pytest's."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from parity.core.errors import InputError
from pnasnet_torch.errors import WeightsError

FAILED, USAGE_ERROR, STOPPED = 1, 4, 130
EXIT_CODES = "exit codes: 0 all is well; 1 it is not; 4 what was given cannot be used; 130 stopped"


class Parser(argparse.ArgumentParser):
    """argparse's, with a bad argument ending as any other bad input, and the exit codes told by --help."""

    def __init__(self, prog: str, description: str | None = None, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog="\n\n".join(filter(None, (epilog, EXIT_CODES))),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def run(main: Callable[[Sequence[str] | None], int], prog: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code; what it was given and cannot use is said in a sentence."""
    try:
        return main(arguments)
    except (InputError, WeightsError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return STOPPED
