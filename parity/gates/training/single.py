"""Training in float32, as Google trained: layers and moving statistics, each side's distance from the float64 truth.

The gradients are not judged in float32. A ReLU whose input rounds to the other side of zero on one side alone moves the
gradients of everything in front of it, by a thousand times what rounding does: which side is nearer to the truth is a
matter of chance, and no bound on it would mean anything (docs/calibration.md).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from parity.candidate.training.port import Make, TrainingPort, make_model
from parity.core import compare, metrics
from parity.core.computing import Results
from parity.core.layers import Network, layer_of
from parity.core.metrics import Distance
from parity.core.result import LayerResult
from parity.core.training_names import FORWARD_FLOAT32, STATISTICS, names
from parity.reference.training import UPDATES, OfficialTraining, unmoved
from pnasnet_torch.operations import BATCH_NORM_MOMENTUM
from tf_reference.training_run import Batch


class OfficialFloat32:
    """The official network in float32, by its distances from the float64 truth.

    `layers` has the distance of each layer's value, `statistics` that of each moving statistic by the number of updates
    and by name, and `truth`, by the same, the true statistics (C,). It is made from the float64 values of the layers
    (NHWC), by name.
    """

    def __init__(self, network: Network, official: OfficialTraining, truth: Mapping[str, np.ndarray]) -> None:
        values = official.forward("float32")
        self.layers: dict[str, Distance] = {}
        for name in list(values):
            # Only the distance is needed: gigabytes of values are freed one by one.
            self.layers[name] = metrics.distance(values.pop(name), truth[name])
        layers = official.parts.layers
        self.truth: dict[int, dict[str, np.ndarray]] = {count: {} for count in UPDATES}
        for name in names(STATISTICS, network):
            # A batch norm's statistics are those of the value that feeds it.
            feeder = layers[layer_of(name)].inputs[0]
            for count in UPDATES:
                self.truth[count][name] = true_statistic(name, truth[feeder], count)
        self.statistics: dict[int, dict[str, Distance]] = {}
        for count, moved in official.statistics().items():
            distances: dict[str, Distance] = {}
            for name, value in moved.items():
                distances[name] = metrics.distance(value, self.truth[count][name])
            self.statistics[count] = distances


def true_statistic(name: str, values: np.ndarray, updates: int) -> np.ndarray:
    """Return the moving statistic (C,) of a fused batch norm after `updates` from zero by the same batch.

    `values` (..., C) are what feeds the batch norm; its `name` tells a moving mean from a moving variance.
    """
    axes = tuple(range(values.ndim - 1))
    count = values.size // values.shape[-1]
    # The fused batch norm, which Google trained with, moves by the variance with Bessel's correction.
    statistic = values.mean(axes) if name.endswith("mean") else values.var(axes) * count / (count - 1)
    # Each update leaves 1 - momentum of what is missing to the batch's own statistic.
    moved: np.ndarray = statistic * (1 - (1 - BATCH_NORM_MOMENTUM) ** updates)
    return moved


def judge_float32(
    network: Network,
    official: OfficialFloat32,
    variables: Mapping[str, np.ndarray],
    batch: Batch,
    truth: Mapping[str, np.ndarray],
    results: Mapping[str, Results],
    make: Make = make_model,
) -> None:
    """Put the results on the candidate's layers and moving statistics into `results`, by gate and name.

    `truth` has the official float64 values (NHWC) by layer. Raises CandidateError for whatever the candidate raises.
    """
    independent = metrics.independent_neighbourhoods(batch.images_nhwc[0])
    layers, statistics = results[FORWARD_FLOAT32], results[STATISTICS]

    def report(name: str, actual: np.ndarray) -> None:
        """Judge a layer's value (NHWC) as it arrives."""
        if name in truth:
            result = compare.float32(str(network), name, actual, truth[name], official.layers[name], independent)
            layers[name] = replace(result, gate=FORWARD_FLOAT32)

    def ignore(_name: str, _actual: np.ndarray) -> None:
        """Do nothing."""

    # From zero: beside a checkpoint's statistics, Bessel's correction of a large map would be lost in the last bit.
    port = TrainingPort(make(network, dtype="float32"), unmoved(variables, network))
    for count in range(1, max(UPDATES) + 1):
        # All forwards are of the same batch and give the same layers: from the second on only the statistics move.
        port.forward(batch, report if count == 1 else ignore)
        if count in UPDATES:
            for result in _compare_statistics(network, official, port.variables(), count, independent):
                # Of both numbers of updates the worse counts.
                earlier = statistics.get(result.layer)
                if earlier is None or result.margin > earlier.margin:
                    statistics[result.layer] = result


def _compare_statistics(
    network: Network, official: OfficialFloat32, moved: Mapping[str, np.ndarray], count: int, independent: float
) -> Iterator[LayerResult]:
    """Yield the result on each moving statistic after `count` updates; `moved` has the candidate's, by name."""
    for name, expected in official.truth[count].items():
        distance = official.statistics[count][name]
        result = compare.float32(str(network), name, moved[name], expected, distance, independent)
        updates = f"{count} updates" if count > 1 else f"{count} update"
        notes = (*result.notes, f"after {updates}")
        yield replace(result, gate=STATISTICS, notes=notes)
