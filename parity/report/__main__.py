"""Makes report.html from a report.json that `pytest parity --report DIR` wrote."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parity.core.command import Parser, run
from parity.core.errors import InputError
from parity.core.files import reading, replacing
from parity.report.document import SCHEMA
from parity.report.render import HTML, JSON, render

PROG = "pnasnet-parity report"
# What every report has.
SECTIONS = frozenset({"run", "judgement", "provenance", "networks"})


def read(path: Path) -> dict[str, Any]:
    """Return the document in the file at `path`.

    Raises InputError for a file that cannot be read, that is no report, or that is a report of another version.
    """
    with reading(path):
        if not path.exists():
            raise InputError(f"{path}: there is no such file; pytest parity --report DIR writes one")
        content = path.read_bytes()
    try:
        data = json.loads(content, parse_constant=_refuse)
    except ValueError as error:
        raise InputError(f"{path} is no report of parity, or was cut off: it is no JSON ({error})") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not schema:
        raise InputError(f"{path} is no report of parity: it has no schema")
    if schema != SCHEMA:
        raise InputError(f"{path}: its schema is {schema}, and this version of parity reads {SCHEMA}")
    missing = SECTIONS - data.keys()
    if missing:
        raise InputError(f"{path} is no whole report: it lacks {', '.join(sorted(missing))}")
    try:
        # What is read of it here; the page reads the rest.
        _ = data["run"]["command"], data["judgement"]["words"], [network["name"] for network in data["networks"]]
    except (LookupError, TypeError) as error:
        raise InputError(f"{path} is no report as parity writes it: a part of it is missing ({error})") from error
    return data


def _refuse(constant: str) -> None:
    """Raise ValueError for NaN and infinity, which JSON has not."""
    raise ValueError(f"{constant} is no JSON")


def parser() -> Parser:
    """Return the parser of the command's arguments."""
    # The module's docstring is what --help says of the command.
    command = Parser(PROG, __doc__, "The page is one file that needs no network; docs/report.md describes report.json.")
    command.add_argument("source", type=Path, metavar="DIR|FILE", help=f"the folder of a report, or its {JSON}")
    command.add_argument(
        "--output", type=Path, metavar="FILE", help=f"the page to write (default: {HTML} beside the source)"
    )
    command.add_argument("--force", action="store_true", help="replace the FILE of --output that is there")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page of a report, print the page's path, and return the exit code.

    Raises InputError where the source is no report of this version.
    """
    options = parser().parse_args(arguments)
    source = options.source
    if source.is_dir():
        source = source / JSON
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
