"""Makes report.html from a report.json that `pytest parity --report DIR` wrote."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parity.core.command import Parser, run
from parity.core.errors import InputError
from parity.core.files import replacing
from parity.report.document import SCHEMA
from parity.report.render import HTML, JSON, render

PROG = "pnasnet-parity report"


def read(path: Path) -> dict[str, Any]:
    """The document at `path`. Raises InputError for a file that is none, or of another version."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise InputError(f"{path}: its schema is {found}, and this version renders {SCHEMA}")
    return data


def parser() -> Parser:
    made = Parser(PROG, __doc__, "The page is one file that needs no network; docs/report.md describes report.json.")
    made.add_argument("source", type=Path, metavar="DIR|FILE", help=f"the folder of a report, or its {JSON}")
    made.add_argument(
        "--output", type=Path, metavar="FILE", help=f"the page to write (default: {HTML} beside the source)"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    source = options.source / JSON if options.source.is_dir() else options.source
    target = options.output or source.with_name(HTML)
    page = render(read(source))
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(run(main, PROG))
