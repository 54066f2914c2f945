"""From the results of the training gates to the layers and variables at which a fault begins."""

from collections.abc import Mapping

from parity.core.localize import Localization, localize
from parity.core.policy import TRAINING_GATES
from parity.core.result import LayerResult
from parity.core.training_names import EXACT, GRADIENT, GRADIENT_FLOAT32, STEP, feeders
from tf_reference.layers import Layer

GRADIENTS = (EXACT, GRADIENT, GRADIENT_FLOAT32)
Rows = Mapping[str, LayerResult]


def localized(gate: str, layers: Mapping[str, Layer], results: Mapping[str, Rows]) -> Localization:
    """The culprits of what fails in a training gate, and what fails behind them; `layers` are the official graph's. A
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
