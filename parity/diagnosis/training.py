"""From the results of the training gates to where the fault is."""

from collections.abc import Mapping

from parity.core.layers import Network
from parity.core.policy import TRAINING_GATES
from parity.core.result import LayerResult
from parity.core.training_names import FORWARD, FORWARD_FLOAT32, GRADIENT, STEP
from parity.diagnosis.verdict import Culprit, Verdict
from parity.gates.training.localize import GRADIENTS, Rows, localized
from tf_reference.layers import Layer

# So many culprits of a step are listed; of more, the first, and the kinds of all.
LISTED = 9


def verdict(network: Network, layers: Mapping[str, Layer], results: Mapping[str, Rows]) -> Verdict | None:
    """Where the fault is, by the first gate that fails; none if all pass. What later gates find is computed from what
    that one does."""
    gate = next((gate for gate in TRAINING_GATES if not all(results.get(gate, {}).values())), None)
    if not gate:
        return None
    found = localized(gate, layers, results)
    listed, more = found.culprits, ""
    if gate == STEP and len(listed) > LISTED:
        # A rule of the optimiser that is wrong shows at every variable: the first stands for all.
        kinds = sorted({name.rpartition("/")[2] for name in listed})
        listed, more = listed[:1], f"so do {len(listed) - 1:,} more: {', '.join(kinds)}"
    culprits = tuple(_culprit(gate, name, results, more) for name in listed)
    return Verdict(str(network), culprits, found.downstream)


def _culprit(gate: str, name: str, results: Mapping[str, Rows], more: str) -> Culprit:
    """One culprit, with the gates that it fails and what the telling ones say; `more` is said behind that."""
    failing = {
        other: results[other][name]
        for other in TRAINING_GATES
        if name in results.get(other, {}) and not results[other][name]
    }
    # Of a gradient, the one in float64 says most, whichever fails first.
    telling = (gate, GRADIENT) if gate in GRADIENTS else (gate,)
    lines: list[str] = []
    for other in telling:
        if other in failing:
            lines += _lines(failing[other])
    if more:
        lines.append(more)
    return Culprit(name, tuple(failing), _kind(gate, results[gate][name]), hints=tuple(dict.fromkeys(lines)))


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
