"""The table of faults that the gates are known to catch, as docs/faults.json has it."""

import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "docs/faults.json"


def faults(path: Path = TABLE) -> dict[str, Any] | None:
    """Return the counts of the table at `path`, without the single trials.

    Return None where there is no such file: the project's documentation is not there.
    """
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    checks = [_counts("these gates", data["gates"], "caught", "localised", "false alarms")]
    for name, row in data["checks"].items():
        checks.append(_counts(name, row, "caught", "localised", "false alarms"))
    kinds = []
    for name, row in data["faults"].items():
        kinds.append(_counts(name, row, "group", "port", "trials", "caught", "localised"))
    harmless = sum(row["trials"] for row in data["harmless variations"].values())
    return {
        "versions": data["versions"],
        "trials": data["gates"]["trials"],
        "harmless": harmless,
        "checks": checks,
        "faults": kinds,
    }


def _counts(name: str, row: dict[str, Any], *columns: str) -> dict[str, Any]:
    """Return these columns of a row of the table, behind the row's name."""
    counts = {"name": name}
    for column in columns:
        counts[column] = row[column]
    return counts
