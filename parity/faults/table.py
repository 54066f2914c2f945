"""Outcomes to the table of docs/: which fault is caught by which gate and put at the right layer, and what simpler
checks make of the same trials."""

import platform
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
    """Return the table as plain data, with every outcome."""
    fault_outcomes: list[Outcome] = []
    harmless: list[Outcome] = []
    for outcome in outcomes:
        if outcome.expected:
            fault_outcomes.append(outcome)
        else:
            harmless.append(outcome)
    versions = {name: version(name) for name in PACKAGES}
    versions["python"] = platform.python_version()
    versions["cpu"] = cpu()
    gates = counts(fault_outcomes)
    gates["false alarms"] = sum(bool(outcome.gates) for outcome in harmless)
    return {
        "versions": versions,
        "gates": gates,
        "checks": {name: check_counts(name, fault_outcomes, harmless) for name in CHECKS},
        "faults": _counts_by_fault(fault_outcomes),
        "harmless variations": variation_counts(harmless),
        "outcomes": list(map(_plain, outcomes)),
    }


def _counts_by_fault(fault_outcomes: Collection[Outcome]) -> dict[str, dict[str, Any]]:
    """Return the counts of each fault that was tried, with its group and the port that has it."""
    by_fault = {}
    for group, faults in GROUPS.items():
        for fault in faults:
            own_outcomes = [outcome for outcome in fault_outcomes if outcome.name == fault.name]
            if not own_outcomes:
                continue
            fault_counts = counts(own_outcomes)
            fault_counts["group"] = group
            fault_counts["port"] = fault.port
            by_fault[fault.name] = fault_counts
    return by_fault


def _plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data, without its time, which is another one in each run."""
    return {
        "setting": outcome.setting,
        "name": outcome.name,
        "site": outcome.site,
        "gates": outcome.gates,
        "culprits": outcome.culprits,
        "expected": outcome.expected,
        "alarms": outcome.alarms,
    }


def counts(outcomes: Collection[Outcome]) -> dict[str, Any]:
    """Return how many of these trials were caught, by which gate, and how many put at exactly the right layers."""
    caught = localised = 0
    by_gate = dict.fromkeys(GATES, 0)
    by_check = dict.fromkeys(CHECKS, 0)
    for outcome in outcomes:
        caught += bool(outcome.gates)
        localised += outcome.right
        for gate in GATES:
            by_gate[gate] += gate in outcome.gates
        for name in CHECKS:
            by_check[name] += name in outcome.alarms
    return {
        "trials": len(outcomes),
        "caught": caught,
        "localised": localised,
        "by gate": by_gate,
        "by check": by_check,
    }


def check_counts(name: str, faults: Collection[Outcome], harmless: Collection[Outcome]) -> dict[str, int]:
    """Return how many faults a simpler check caught and localised, and how many false alarms it raised.

    It localises a fault where the first layer that it does not let pass is one at fault.
    """
    caught = localised = 0
    for outcome in faults:
        caught += name in outcome.alarms
        # No layer is called "", which stands for a crash and for no alarm at all.
        localised += outcome.alarms.get(name, "") in outcome.expected
    false_alarms = sum(name in outcome.alarms for outcome in harmless)
    return {"caught": caught, "localised": localised, "false alarms": false_alarms}


def variation_counts(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Return how often each variation was tried, and how many false alarms it raised."""
    by_variation: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        variation = by_variation.setdefault(outcome.name, {"trials": 0, "false alarms": 0})
        variation["trials"] += 1
        variation["false alarms"] += bool(outcome.gates)
    return by_variation


def markdown(data: Mapping[str, Any]) -> str:
    """Return the summary as a document for people."""
    lines = [*_overview(data), "", *_fault_table(data), "", *_variation_table(data)]
    return "\n".join(lines) + "\n"


def _overview(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the head: what was measured, by what, and the counts of the gates and of each check."""
    trials = data["gates"]["trials"]
    harmless = sum(row["trials"] for row in data["harmless variations"].values())
    yield "# Which faults are caught, and where"
    yield ""
    yield HEAD
    yield ""
    versions = [f"{name} {value}" for name, value in data["versions"].items()]
    yield f"{', '.join(versions)}."
    yield ""
    yield "| | caught | put at the right layers | false alarms |"
    yield "| --- | --- | --- | --- |"
    for name, row in {"**these gates**": data["gates"], **data["checks"]}.items():
        caught = _share(row["caught"], trials)
        localised = _share(row["localised"], trials)
        yield f"| {name} | {caught} | {localised} | {row['false alarms']:,} of {harmless:,} |"


def _share(count: int, trials: int) -> str:
    """Return a count of all trials in words, with the percentage."""
    # With --only, there may be harmless variations alone.
    return f"{count:,} of {trials:,} ({count / max(trials, 1):.1%})"


def _fault_table(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of faults."""
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


def _variation_table(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of harmless variations."""
    yield "## Harmless variations"
    yield ""
    yield "| variation | trials | false alarms |"
    yield "| --- | --- | --- |"
    for name, row in data["harmless variations"].items():
        yield f"| {name} | {row['trials']} | {row['false alarms']} |"
