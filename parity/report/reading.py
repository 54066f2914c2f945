"""Reads a report.json, and refuses what is no report of this version."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.files import reading
from parity.report.document import SCHEMA
from parity.report.render import JSON

# What every report has.
SECTIONS = frozenset({"run", "judgement", "provenance", "networks"})


def located(path: Path) -> Path:
    """Return the path of the report.json that a path names: the file itself, or the folder that holds it."""
    return path / JSON if path.is_dir() else path


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
    # Lists in lists without end are JSON, and more than Python's reader can go into.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no report of parity, or was cut off: it is no JSON ({error})") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not schema:
        raise InputError(f"{path} is no report of parity: it has no schema")
    if schema != SCHEMA:
        raise InputError(f"{path}: its schema is {schema}, and this version of parity reads {SCHEMA}")
    missing = SECTIONS - data.keys()
    if missing:
        raise InputError(f"{path} is no whole report: it lacks {', '.join(sorted(missing))}")
    with parts_of(path):
        # What every reader takes of it; each reads the rest by itself.
        _ = data["run"]["command"], data["judgement"]["words"], [network["name"] for network in data["networks"]]
    return data


@contextmanager
def parts_of(path: Path) -> Iterator[None]:
    """Raise InputError where what is done meanwhile finds the report at `path` to lack a part, or to have another."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no report as parity writes it: a part of it is missing ({error})") from error


def _refuse(constant: str) -> None:
    """Raise ValueError for NaN and infinity, which JSON has not."""
    raise ValueError(f"{constant} is no JSON")
