"""From the results of the training gates to where the fault is."""

from collections.abc import Mapping

from parity.core.layers import Network
from parity.core.policy import TRAINING_GATES
from parity.core.result import LayerResult
from parity.core.training_names import FORWARD, FORWARD_FLOAT32, GRADIENT, STEP
from parity.diagnosis.verdict import Culprit, Verdict
from parity.gates.training.localize import GRADIENTS, ResultsByName, first_failing, localized
from tf_reference.layers import Layer

# So many culprits of a step are listed; of more, the first, and the kinds of all.
LISTED = 9


def verdict(network: Network, layers: Mapping[str, Layer], results: Mapping[str, ResultsByName]) -> Verdict | None:
    """Return where the fault is, by the first training gate that fails; None if all pass.

    `layers` are the official graph's, `results` those of each training gate. What later gates judge is computed from
    what the first one judges.
    """
    gate = first_failing(results)
    if not gate:
        return None
    localization = localized(gate, layers, results)
    listed = localization.culprits
    others = ""
    if gate == STEP and len(listed) > LISTED:
        # A rule of the optimiser that is wrong shows at every variable: the first stands for all.
        kinds = sorted({name.rpartition("/")[2] for name in listed})
        others = f"so do {len(listed) - 1:,} more: {', '.join(kinds)}"
        listed = listed[:1]
    culprits = tuple(_culprit(gate, name, results, others) for name in listed)
    return Verdict(str(network), culprits, localization.downstream)


def _culprit(gate: str, name: str, results: Mapping[str, ResultsByName], others: str) -> Culprit:
    """Return one culprit, with the gates that it fails and what the telling ones say; then `others` is said."""
    failing_results: dict[str, LayerResult] = {}
    for other_gate in TRAINING_GATES:
        result = results.get(other_gate, {}).get(name)
        # A failing result is false, but so is none.
        if result is not None and not result:
            failing_results[other_gate] = result
    # Of a gradient, the one in float64 says most, whichever fails first.
    telling_gates = (gate, GRADIENT) if gate in GRADIENTS else (gate,)
    hints: list[str] = []
    for telling_gate in telling_gates:
        if telling_gate in failing_results:
            hints += _sentences(failing_results[telling_gate])
    if others:
        hints.append(others)
    # Both gates may say the same, and GRADIENT may be named twice: each sentence is told once, where it first stands.
    unique_hints = tuple(dict.fromkeys(hints))
    return Culprit(name, tuple(failing_results), _kind(gate, results[gate][name]), hints=unique_hints)


def _sentences(result: LayerResult) -> list[str]:
    """Return what a result says in words: why it could not be judged, and its notes."""
    return list(filter(None, (result.problem, *result.notes)))


def _kind(gate: str, result: LayerResult) -> str:
    """Return the kind of fault (a key of `TRAINING_KINDS`, or `error`) of what `gate` names."""
    if result.problem:
        return "error"
    if gate in (FORWARD, FORWARD_FLOAT32):
        return "in training"
    if gate in GRADIENTS:
        return "backward"
    return "update" if gate == STEP else "differs"
