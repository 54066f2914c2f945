"""The table of faults that the gates are known to catch, as docs/faults.json has it."""

import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "docs/faults.json"


def faults(path: Path = TABLE) -> dict[str, Any] | None:
    """The counts without the single trials; None where the project's documentation is not there."""
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    harmless = data["harmless variations"].values()
    return {
        "versions": data["versions"],
        "trials": data["gates"]["trials"],
        "harmless": sum(row["trials"] for row in harmless),
        "checks": [
            {"name": name} | {key: row[key] for key in ("caught", "localised", "false alarms")}
            for name, row in {"these gates": data["gates"], **data["checks"]}.items()
        ],
        "faults": [
            {"name": name} | {key: row[key] for key in ("group", "port", "trials", "caught", "localised")}
            for name, row in data["faults"].items()
        ],
    }
