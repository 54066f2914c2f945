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
Rows = Mapping[str, LayerResult]


def localized(gate: str, layers: Mapping[str, Layer], rows: Rows) -> Localization:
    """The sources of what fails in a training gate, and what fails behind them; `layers` are the official graph's."""
    failing = {name for name, result in rows.items() if not result}
    at_fault = {name for name in failing if rows[name].at_fault}
    behind = {name for name in failing if not rows[name].reached}
    if gate == STEP and at_fault:  # in the first step that differs; in the next ones all the rest does, too
        behind = failing - at_fault
    return localize(feeders(gate, layers, rows), failing, rows.keys() - failing, at_fault, behind)


def verdict(network: Network, layers: Mapping[str, Layer], results: Mapping[str, Rows]) -> Verdict | None:
    """Where the fault is, by the first gate that fails; none if all pass. What later gates find is computed from what
    that one does."""
    gate = next((gate for gate in TRAINING_GATES if not all(results.get(gate, {}).values())), None)
    if not gate:
        return None
    rows = results[gate]
    found = localized(gate, layers, rows)
    listed, hint = found.sources, ""
    if gate == STEP and len(listed) > LISTED:
        kinds = sorted({name.rpartition("/")[2] for name in listed})
        listed, hint = listed[:1], f"so do {len(listed) - 1:,} more: {', '.join(kinds)}"
    sources = []
    for name in listed:
        hints = filter(None, (rows[name].problem, *rows[name].notes, hint))
        sources.append(Source(name, (gate,), _kind(gate, rows[name]), hints=tuple(hints)))
    return Verdict(str(network), tuple(sources), found.downstream)


def _kind(gate: str, result: LayerResult) -> str:
    if result.problem:
        return "error"
    if gate in (FORWARD, FORWARD_FLOAT32):
        return "in training"
    if gate in (EXACT, GRADIENT, GRADIENT_FLOAT32):
        return "backward"
    return "update" if gate == STEP else "differs"
