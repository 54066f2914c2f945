"""Compares two runs by their reports: what fails now and did not, what passes again, and whose margin moved.

pnasnet-parity report diff OLD NEW
"""

import argparse
import math
from pathlib import Path

from parity.core.command import FAILED, Parser
from parity.report.diff.changes import FACTOR, SHARE, compare
from parity.report.diff.lines import LIMIT, lines
from parity.report.diff.results import Report
from parity.report.render import JSON

EPILOG = f"""Exit code 1 says that something got worse: a layer fails that did not, a margin rose by more than the
factor, or a gate did not finish in the new run. A margin below {SHARE} counts as {SHARE}: so small, chance moves it."""


def parser(prog: str) -> Parser:
    """Return the parser of the command's arguments; `prog` is how the command is called."""
    command = Parser(prog, __doc__, EPILOG)
    for name, what in (("old", "the report to compare with"), ("new", "the report that is compared")):
        command.add_argument(name, type=Path, metavar=name.upper(), help=f"{what}: its folder, or its {JSON}")
    command.add_argument(
        "--factor",
        type=_factor,
        default=FACTOR,
        metavar="X",
        help=f"how many times as large a margin may become (default: {FACTOR:g})",
    )
    command.add_argument("--all", action="store_true", help=f"show all lines, not the first {LIMIT} of each part")
    command.set_defaults(run=show)
    return command


def _factor(text: str) -> float:
    """Return the factor. Raise ArgumentTypeError, which argparse tells, for one that is no number from 1 on."""
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1 <= factor < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of at least 1")
    return factor


def show(options: argparse.Namespace) -> int:
    """Print what changed from one report to the other. Return 1 if anything got worse, and 0 if not.

    Raises InputError for what is no report of this version, and for two reports that have no layer in common.
    """
    old = Report.of(options.old)
    new = Report.of(options.new)
    compared = compare(old, new, options.factor)
    print(*lines(old, new, compared, options.factor, options.all), sep="\n")
    return FAILED if compared.is_worse else 0
