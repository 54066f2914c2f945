"""From the results of the training gates to the layers and variables at which a fault begins."""

from collections.abc import Mapping

from parity.core.localize import Localization, localize
from parity.core.policy import TRAINING_GATES
from parity.core.result import LayerResult
from parity.core.training_names import EXACT, GRADIENT, GRADIENT_FLOAT32, STEP, feeders
from tf_reference.layers import Layer

GRADIENTS = (EXACT, GRADIENT, GRADIENT_FLOAT32)
# One gate's results by the names of layers and variables.
ResultsByName = Mapping[str, LayerResult]


def localized(gate: str, layers: Mapping[str, Layer], results: Mapping[str, ResultsByName]) -> Localization:
    """Return the culprits of what fails in a training gate, and what fails behind them.

    `layers` are the official graph's, `results` those of all training gates, by gate. A gradient that is at fault by
    one gate is so by all that it fails.
    """
    by_name = results[gate]
    failing = {name for name, result in by_name.items() if not result}
    passing = by_name.keys() - failing
    looked_at = GRADIENTS if gate in GRADIENTS else (gate,)
    at_fault = set()
    for other_gate in looked_at:
        for name, result in results.get(other_gate, {}).items():
            if result.at_fault:
                at_fault.add(name)
    at_fault &= failing
    if gate == STEP and at_fault:
        # Marked in the first step that differs. In the next ones all the rest differs too, and says nothing.
        behind = failing - at_fault
    else:
        behind = {name for name in failing if not by_name[name].reached}
    return localize(feeders(gate, layers, by_name), failing, passing, at_fault, behind)


def first_failing(results: Mapping[str, ResultsByName]) -> str:
    """Return the first of the training gates that anything fails; empty if all pass."""
    for gate in TRAINING_GATES:
        if not all(results.get(gate, {}).values()):
            return gate
    return ""


def explained_by(gate: str, name: str, results: Mapping[str, ResultsByName]) -> str:
    """Return the first of the training gates that fails, where that explains why `name` fails `gate`; else empty.

    Nothing else explains the integer network's gradients, and what fails alone.
    """
    first = first_failing(results)
    if gate in (first, EXACT, GRADIENT_FLOAT32):
        return ""
    # A step's own mark is only where it differs first, which a wrong loss or gradient explains.
    if results[gate][name].at_fault and gate != STEP:
        return ""
    return first
