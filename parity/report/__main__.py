"""Makes report.html from a report.json that `pytest parity --report DIR` wrote; or compares two such runs.

pnasnet-parity report DIR
pnasnet-parity report diff OLD NEW
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from parity.core.command import Parser, run
from parity.core.errors import InputError
from parity.core.files import replacing
from parity.report.diff import command as diff
from parity.report.reading import located, read
from parity.report.render import HTML, JSON, render

PROG = "pnasnet-parity report"
# The word that asks for the comparison of two reports, in a report's place.
DIFF = "diff"


def parser() -> Parser:
    """Return the parser of the arguments of the command that makes a page."""
    # The module's docstring is what --help says of the command.
    command = Parser(
        PROG,
        __doc__,
        f"The page is one file that needs no network; docs/report.md describes report.json. `{PROG} {DIFF} --help`\n"
        f"explains the comparison; the report in a folder of that name is ./{DIFF}.",
    )
    command.add_argument("source", type=Path, metavar="DIR|FILE", help=f"the folder of a report, or its {JSON}")
    command.add_argument(
        "--output", type=Path, metavar="FILE", help=f"the page to write (default: {HTML} beside the source)"
    )
    command.add_argument("--force", action="store_true", help="replace the FILE of --output that is there")
    command.set_defaults(run=make_page)
    return command


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments (default: the process's), with the function that they ask for as `run`."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    # No subparser: what else stands in this place is a path, and argparse would refuse every path as no command.
    if words[:1] == [DIFF]:
        return diff.parser(f"{PROG} {DIFF}").parse_args(words[1:])
    return parser().parse_args(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page of a report, or compare two reports, and return the exit code.

    Raises InputError where a report is none of this version.
    """
    options = parse(arguments)
    code: int = options.run(options)
    return code


def make_page(options: argparse.Namespace) -> int:
    """Write the page of a report, print the page's path, and return 0. Raises InputError where that cannot be done."""
    source = located(options.source)
    # The page of a report is made anew whenever that is asked for; any other file may be anything.
    if options.output and options.output.is_file() and not options.force:
        raise InputError(f"{options.output}: already there; --force replaces it")
    target = options.output or source.with_name(HTML)
    page = render(read(source))
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(run(main, PROG))
