"""From the results of the training gates to where the fault is."""

from collections.abc import Mapping

from parity.diagnosis.verdict import Source, Verdict
from parity.layers import Network
from parity.localize import Localization, localize
from parity.policy import TRAINING_GATES
from parity.result import LayerResult
from parity.training.names import EXACT, FORWARD, FORWARD_FLOAT32, GRADIENT, GRADIENT_FLOAT32, STEP, feeders
from tf_reference.layers import Layer

# So many sources of a step are listed; of more, the first, and the kinds of all.
LISTED = 9
GRADIENTS = (EXACT, GRADIENT, GRADIENT_FLOAT32)
Rows = Mapping[str, LayerResult]


def localized(gate: str, layers: Mapping[str, Layer], results: Mapping[str, Rows]) -> Localization:
    """The sources of what fails in a training gate, and what fails behind them; `layers` are the official graph's. A
    gradient that is at fault by one gate is so by all that it fails."""
    rows = results[gate]
    failing = {name for name, result in rows.items() if not result}
    looked_at = [results.get(other, {}) for other in (GRADIENTS if gate in GRADIENTS else [gate])]
    at_fault = {name for name in failing if any(name in found and found[name].at_fault for found in looked_at)}
    behind = {name for name in failing if not rows[name].reached}
    if gate == STEP and at_fault:  # in the first step that differs; in the next ones all the rest does, too
        behind = failing - at_fault
    return localize(feeders(gate, layers, rows), failing, rows.keys() - failing, at_fault, behind)


def explained_by(gate: str, name: str, results: Mapping[str, Rows]) -> str:
    """The first of the training gates that fails, where that explains why the name fails this one; else empty. The
    integer network's gradients, and what fails alone, nothing else explains."""
    first = next(other for other in TRAINING_GATES if not all(results.get(other, {}).values()))
    alone = gate in (first, EXACT, GRADIENT_FLOAT32) or (results[gate][name].at_fault and gate != STEP)
    return "" if alone else first


def verdict(network: Network, layers: Mapping[str, Layer], results: Mapping[str, Rows]) -> Verdict | None:
    """Where the fault is, by the first gate that fails; none if all pass. What later gates find is computed from what
    that one does."""
    gate = next((gate for gate in TRAINING_GATES if not all(results.get(gate, {}).values())), None)
    if not gate:
        return None
    found = localized(gate, layers, results)
    listed, hint = found.sources, ""
    if gate == STEP and len(listed) > LISTED:
        kinds = sorted({name.rpartition("/")[2] for name in listed})
        listed, hint = listed[:1], f"so do {len(listed) - 1:,} more: {', '.join(kinds)}"
    sources = []
    for name in listed:
        rows = {other: results[other][name] for other in TRAINING_GATES if name in results.get(other, {})}
        failing = {other: row for other, row in rows.items() if not row}
        telling = (gate, GRADIENT) if gate in GRADIENTS else (gate,)
        lines = [line for other in telling if other in failing for line in _lines(failing[other])]
        hints = tuple(dict.fromkeys([*lines, hint] if hint else lines))
        sources.append(Source(name, tuple(failing), _kind(gate, rows[gate]), hints=hints))
    return Verdict(str(network), tuple(sources), found.downstream)


def _lines(result: LayerResult) -> list[str]:
    return [line for line in (result.problem, *result.notes) if line]


def _kind(gate: str, result: LayerResult) -> str:
    if result.problem:
        return "error"
    if gate in (FORWARD, FORWARD_FLOAT32):
        return "in training"
    if gate in GRADIENTS:
        return "backward"
    return "update" if gate == STEP else "differs"
