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
    """The official network in float32: its distances from the float64 truth, by layer, and by updates and moving
    statistic."""

    def __init__(self, network: Network, official: OfficialTraining, truth: Mapping[str, np.ndarray]) -> None:
        values = official.forward("float32")
        self.layers = {name: metrics.distance(values.pop(name), truth[name]) for name in list(values)}
        inputs = {name: layer.inputs[0] for name, layer in official.parts.layers.items() if layer.inputs}
        self.truth = {
            count: {
                name: true_statistic(name, truth[inputs[layer_of(name)]], count) for name in names(STATISTICS, network)
            }
            for count in UPDATES
        }
        self.statistics: dict[int, dict[str, Distance]] = {
            count: {name: metrics.distance(value, self.truth[count][name]) for name, value in rows.items()}
            for count, rows in official.statistics().items()
        }


def true_statistic(name: str, values: np.ndarray, updates: int) -> np.ndarray:
    """The moving statistic of a fused batch norm of `values` (..., C), which has Bessel's correction, after so many
    updates from zero by the same batch."""
    axes = tuple(range(values.ndim - 1))
    count = values.size // values.shape[-1]
    statistic = values.mean(axes) if name.endswith("mean") else values.var(axes) * count / (count - 1)
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
    """Puts the results on the port into `results`. Raises CandidateError for whatever the port raises."""
    independent = metrics.independent_neighbourhoods(batch.images_nhwc[0])
    layers, statistics = results[FORWARD_FLOAT32], results[STATISTICS]

    def report(name: str, actual: np.ndarray) -> None:
        if name in truth:
            found = compare.float32(str(network), name, actual, truth[name], official.layers[name], independent)
            layers[name] = replace(found, gate=FORWARD_FLOAT32)

    def moved(found: Mapping[str, np.ndarray], count: int) -> Iterator[LayerResult]:
        for name, expected in official.truth[count].items():
            distance = official.statistics[count][name]
            row = compare.float32(str(network), name, found[name], expected, distance, independent)
            yield replace(row, gate=STATISTICS, notes=(*row.notes, f"after {count} update{'s' if count > 1 else ''}"))

    port = TrainingPort(make(network, dtype="float32"), unmoved(variables, network))
    for count in range(1, max(UPDATES) + 1):
        port.forward(batch, report if count == 1 else lambda _name, _actual: None)
        if count in UPDATES:
            for row in moved(port.variables(), count):
                statistics[row.layer] = max(statistics.get(row.layer, row), row, key=lambda result: result.margin)
