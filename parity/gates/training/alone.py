"""Each layer's backward alone: the port computes it from the official network's own values and gradients.

Every layer's output is replaced by the official value, and the gradient at it by the official one. So an error stays
where it is made, and in float32 no ReLU cuts on one side alone: what is left is each side's own rounding, which is
measured, as in the forward, by its distance from what the official network makes of the same values in float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from parity.candidate.training.port import TrainingPort
from parity.core import compare, metrics
from parity.core.computing import Results
from parity.core.layers import Network, block, layer_of
from parity.core.pinning import release_memory
from parity.core.policy import GRADIENT_FLOAT64
from parity.core.result import LayerResult
from parity.core.training_names import GRADIENT, GRADIENT_FLOAT32
from parity.gates.training.ties import TieFinder, Ties
from parity.reference.training import OfficialTraining
from tf_reference.layers import Layer
from tf_reference.training_run import Batch


@dataclass(frozen=True)
class OfficialAlone:
    """The official network's values, by layer, its gradients, by layer and variable, and how far these are from what it
    makes of the same values in float64, if that is another dtype. Gigabytes, of which judging leaves nothing."""

    layers: Mapping[str, Layer]
    values: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


def official_alone(official: OfficialTraining, dtype: str) -> OfficialAlone:
    """What the official network gives in this dtype."""
    values = official.forward(dtype)
    _, gradients = official.backward(dtype)
    errors = official.errors(values, gradients) if dtype == "float32" else {}
    return OfficialAlone(official.parts.layers, values, gradients, errors)


def judge_alone(network: Network, official: OfficialAlone, port: TrainingPort, batch: Batch) -> Results:
    """The results, as far as the port gives gradients: in the official network's dtype. Raises PortError for whatever
    the port raises."""
    find_ties = TieFinder(official.layers, port.max_pools)
    ties: dict[str, Ties] = {}
    # How many products the gradient of a variable adds up: one for each pixel of its layer's map.
    pixels = {name: value.size // value.shape[-1] for name, value in official.values.items()}
    independent = metrics.independent_neighbourhoods(batch.images_nhwc[0])
    results: Results = {}
    # The first layer of each block, where the forward enters it and the backward leaves it.
    first = {block(name): name for name in reversed(official.values)}.values()

    def value(name: str) -> np.ndarray | None:
        if name in first:
            release_memory()
        found = official.values.pop(name, None)
        if found is not None and (tie := find_ties(name, found, found)):
            ties[name] = tie
        return found

    def judge(name: str, actual: np.ndarray, given: np.ndarray, error: np.ndarray | None) -> LayerResult:
        if error is None:
            return compare.float64(str(network), name, actual, given, GRADIENT, GRADIENT_FLOAT64)
        truth, sums = given - error.astype(np.float64), pixels.get(layer_of(name), 1)
        distance = metrics.distance(given, truth)
        found = compare.float32(str(network), name, actual, truth, distance, independent, sums)
        return replace(found, gate=GRADIENT_FLOAT32, at_fault=not found)

    def gradient(name: str, actual: np.ndarray) -> np.ndarray | None:
        if (given := official.gradients.pop(name, None)) is None:
            return None
        error, tie = official.errors.pop(name, None), ties.pop(name, None)
        if not tie or actual.shape != given.shape:
            results[name] = judge(name, actual, given, error)
        else:
            found = judge(name, tie.summed(actual), tie.summed(given), error if error is None else tie.summed(error))
            results[name] = replace(found, notes=(*found.notes, str(tie)))
        if name in first:
            release_memory()
        return given

    port.backward(batch, gradient, value)
    return results
