"""Each layer's backward alone: the candidate computes it from the official network's own values and gradients.

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
class OfficialIsolated:
    """The official network's `values`, by layer (NHWC), and its `gradients`, by layer and variable, in one dtype.

    `errors` are how far the gradients are from what it makes of the same values in float64, if that is another dtype;
    else there are none. `layers` are the official graph's. Gigabytes, of which judging leaves nothing.
    """

    layers: Mapping[str, Layer]
    values: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


def official_isolated(official: OfficialTraining, dtype: str) -> OfficialIsolated:
    """Return what the official network gives in `dtype`, on the first batch."""
    values = official.forward(dtype)
    _, gradients = official.backward(dtype)
    errors = official.errors(values, gradients) if dtype == "float32" else {}
    return OfficialIsolated(official.parts.layers, values, gradients, errors)


def judge_isolated(network: Network, official: OfficialIsolated, port: TrainingPort, batch: Batch) -> Results:
    """Return the results by layer and variable, as far as the candidate gives gradients, in `official`'s dtype.

    Uses up `official`. Raises CandidateError for whatever the candidate raises.
    """
    judging = _Judging(network, official, port, batch)
    port.backward(batch, judging.gradient, judging.value)
    return judging.results


class _Judging:
    """What the candidate's hooks ask while it goes forward and back once: the official value or gradient, by name.

    They go in the place of the candidate's own. Each gradient is judged as it arrives.
    """

    def __init__(self, network: Network, official: OfficialIsolated, port: TrainingPort, batch: Batch) -> None:
        self.results: Results = {}
        self._network = str(network)
        self._official = official
        self._find_ties = TieFinder(official.layers, port.max_pools)
        self._ties: dict[str, Ties] = {}
        # How many products the gradient of a variable adds up: one for each pixel of its layer's map. Read now, as the
        # values are used up in the forward.
        self._products: dict[str, int] = {}
        for name, value in official.values.items():
            channels = value.shape[-1]
            self._products[name] = value.size // channels
        self._independent = metrics.independent_neighbourhoods(batch.images_nhwc[0])
        # The first layer of each block: the forward enters the block there, and the backward leaves it. What was used
        # up by then is given back to the system.
        first_of_block: dict[str, str] = {}
        for name in official.values:
            first_of_block.setdefault(block(name), name)
        self._entrances = set(first_of_block.values())

    def value(self, name: str) -> np.ndarray | None:
        """Return the official value of a layer (NHWC); None where the official network has none."""
        if name in self._entrances:
            release_memory()
        value = self._official.values.pop(name, None)
        if value is not None:
            # Both sides go on from this value, so that no ReLU cuts on one side alone: what is left are ties.
            ties = self._find_ties(name, value, value)
            if ties:
                self._ties[name] = ties
        return value

    def gradient(self, name: str, actual: np.ndarray) -> np.ndarray | None:
        """Judge the gradient at a layer or of a variable; return the official one, None where there is none."""
        expected = self._official.gradients.pop(name, None)
        if expected is None:
            return None
        error = self._official.errors.pop(name, None)
        ties = self._ties.pop(name, None)
        if ties and actual.shape == expected.shape:
            # Which of several equally large elements gets a max-pool's gradient is nobody's rule: their sum is judged.
            summed_error = None if error is None else ties.summed(error)
            result = self._judge(name, ties.summed(actual), ties.summed(expected), summed_error)
            result = replace(result, notes=(*result.notes, str(ties)))
        else:
            result = self._judge(name, actual, expected, error)
        self.results[name] = result
        if name in self._entrances:
            release_memory()
        return expected

    def _judge(self, name: str, actual: np.ndarray, expected: np.ndarray, error: np.ndarray | None) -> LayerResult:
        """Judge in float64 where there is no `error`, the official gradient's own distance from float64; else by it."""
        if error is None:
            return compare.float64(self._network, name, actual, expected, GRADIENT, GRADIENT_FLOAT64)
        # What is held is the difference from the truth in float32, half as large as the truth itself.
        truth = expected - error.astype(np.float64)
        distance = metrics.distance(expected, truth)
        # A sum of n products is rounded at each, in the order of each kernel: it may be off by the root of n.
        sums = self._products.get(layer_of(name), 1)
        result = compare.float32(self._network, name, actual, truth, distance, self._independent, sums)
        # Computed from the official values and gradients: what fails here fails by itself, whatever else does.
        return replace(result, gate=GRADIENT_FLOAT32, at_fault=not result)
