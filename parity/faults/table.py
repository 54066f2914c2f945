"""Outcomes to the table of docs/: which fault is caught by which gate and put at the right layer, and what simpler
checks make of the same trials."""

import platform
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from parity.core.machine import cpu
from parity.core.policy import STRUCTURE
from parity.faults.catalogue import GROUPS
from parity.faults.checks import CHECKS
from parity.faults.record import PACKAGES, Outcome

HEAD = """\
Measured by `pnasnet-parity faults`, which writes this file; every trial is in faults.json. A fault is planted in the
port, all gates run, and the verdict has to name the layers at fault, all of them and no others, and the kind of fault.
The simpler checks see the same float32 values; one localises a fault if the first layer that it does not let pass is at
fault. Harmless variations change the order of roundings at most."""
GATES = (STRUCTURE, "exact-float32", "exact-float64", "float64", "float32")


def summary(outcomes: Collection[Outcome]) -> dict[str, Any]:
    """The table as plain data, with every outcome."""
    faults = [row for row in outcomes if row.expected]
    harmless = [row for row in outcomes if not row.expected]
    return {
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version(), "cpu": cpu()},
        "gates": counts(faults) | {"false alarms": sum(bool(row.gates) for row in harmless)},
        "checks": {name: check_counts(name, faults, harmless) for name in CHECKS},
        "faults": {
            fault.name: counts([row for row in faults if row.name == fault.name]) | {"group": group, "port": fault.port}
            for group, members in GROUPS.items()
            for fault in members
        },
        "harmless variations": variation_counts(harmless),
        "outcomes": [
            {"setting": row.setting, "name": row.name, "site": row.site, "gates": row.gates, "culprits": row.culprits}
            | {"expected": row.expected, "alarms": row.alarms}
            for row in outcomes
        ],
    }


def counts(rows: Collection[Outcome]) -> dict[str, Any]:
    """Of these trials: how many were caught, by which gate, and how many put at exactly the right layers."""
    return {
        "trials": len(rows),
        "caught": sum(bool(row.gates) for row in rows),
        "localised": sum(row.right for row in rows),
        "by gate": {gate: sum(gate in row.gates for row in rows) for gate in GATES},
        "by check": {name: sum(name in row.alarms for row in rows) for name in CHECKS},
    }


def check_counts(name: str, faults: Collection[Outcome], harmless: Collection[Outcome]) -> dict[str, int]:
    """Of a simpler check: it localises a fault where the first layer that it does not let pass is one at fault."""
    return {
        "caught": sum(name in row.alarms for row in faults),
        "localised": sum(row.alarms.get(name, "") in row.expected for row in faults),
        "false alarms": sum(name in row.alarms for row in harmless),
    }


def variation_counts(rows: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    tried, alarms = Counter[str](), Counter[str]()
    for row in rows:
        tried[row.name] += 1
        alarms[row.name] += bool(row.gates)
    return {name: {"trials": tried[name], "false alarms": alarms[name]} for name in tried}


def markdown(data: Mapping[str, Any]) -> str:
    """The table for people."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    gates, trials = data["gates"], data["gates"]["trials"]
    harmless = sum(row["trials"] for row in data["harmless variations"].values())
    yield "# Which faults are caught, and where"
    yield ""
    yield HEAD
    yield ""
    yield ", ".join(f"{name} {value}" for name, value in data["versions"].items()) + "."
    yield ""
    yield "| | caught | put at the right layers | false alarms |"
    yield "| --- | --- | --- | --- |"
    for name, row in {"**these gates**": gates, **data["checks"]}.items():
        shares = (f"{row[part]:,} of {trials:,} ({row[part] / max(trials, 1):.1%})" for part in ("caught", "localised"))
        yield f"| {name} | {' | '.join(shares)} | {row['false alarms']:,} of {harmless:,} |"
    yield ""
    yield "## Faults"
    yield ""
    yield "How many of the trials of each were caught, at all and by each gate, and localised."
    yield ""
    yield f"| fault | trials | caught | localised | {' | '.join(GATES)} |"
    yield f"| --- | --- | --- | --- |{' --- |' * len(GATES)}"
    for name, row in data["faults"].items():
        port = f" (in {row['port']})" if row["port"] else ""
        by_gate = " | ".join(str(row["by gate"][gate]) for gate in GATES)
        yield f"| {row['group']}: {name}{port} | {row['trials']} | {row['caught']} | {row['localised']} | {by_gate} |"
    yield ""
    yield "## Harmless variations"
    yield ""
    yield "| variation | trials | false alarms |"
    yield "| --- | --- | --- |"
    for name, row in data["harmless variations"].items():
        yield f"| {name} | {row['trials']} | {row['false alarms']} |"
