"""A training batch in, values, gradients and updated variables of the official network out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tf_reference.run import OfficialRun
from tf_reference.training import LABELS, RATE, STEP, TrainingGraph


@dataclass(frozen=True)
class Batch:
    """What both sides train on: images (N, H, W, 3), labels (N), all draws by operation, and the training step."""

    images_nhwc: np.ndarray
    labels: np.ndarray
    draws: Mapping[str, np.ndarray]
    step: int


class TrainingRun(OfficialRun):
    """A session over the official training graph."""

    def __init__(self, graph: TrainingGraph, threads: int | None = None, cut: Iterable[str] = ()) -> None:
        drawn = (draw.keep_prob for draw in graph.draws.values() if draw.keep_prob)
        others = [*graph.losses.values(), *graph.gradients.values(), *drawn, *graph.update.names()]
        super().__init__(graph.network, None, threads, others, cut)
        self.training = graph

    def forward(self, batch: Batch) -> dict[str, np.ndarray]:
        """Each layer's output (NHWC), by name. Nothing is updated."""
        return self.run_tensors(
            {name: layer.tensor for name, layer in self.graph.layers.items()}, batch.images_nhwc, self._feed(batch)
        )

    def backward(self, batch: Batch) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The parts of the loss, and the total's gradient at each layer (NHWC) and variable, all by name."""
        tensors = {"losses": self.training.losses, "gradients": self.training.gradients}
        fetches = {(kind, name): tensor for kind, group in tensors.items() for name, tensor in group.items()}
        found: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in tensors}
        for (kind, name), value in self.run_tensors(fetches, batch.images_nhwc, self._feed(batch)).items():
            found[kind][name] = value
        return found["losses"], found["gradients"]

    def statistics(self, batch: Batch, counts: Collection[int]) -> dict[int, dict[str, np.ndarray]]:
        """All variables after each of so many updates of the moving statistics alone, by the same batch."""
        found: dict[int, dict[str, np.ndarray]] = {}
        updates = {name: name for name in self.training.update.statistics}
        for count in range(1, max(counts) + 1):
            self.run_tensors(updates, batch.images_nhwc, self._feed(batch))
            if count in counts:
                found[count] = self._session.run(self.training.update.variables)
        return found

    def keep_probs(self, step: int) -> dict[str, np.ndarray]:
        """The probability with which each drop path keeps an example at training step `step`."""
        fetches = {name: draw.keep_prob for name, draw in self.training.draws.items() if draw.keep_prob}
        spec = self.graph.spec
        return self.run_tensors(fetches, np.zeros((1, spec.height, spec.width, 3)), self._steps(step))

    def update(self, batches: Iterable[Batch], rate: float) -> dict[str, np.ndarray]:
        """Whole steps, one for each batch: gradients of the weights as they are, moving statistics, weights, and then
        averages. Returns all variables, and what the optimiser and the averages keep, as they are in the end.

        The first call begins with the optimiser's first values and averages of the variables that were assigned.
        """
        update = self.training.update
        self._session.run(update.initialize)
        for batch in batches:
            feed = self._feed(batch) | {f"{RATE}:0": np.array(rate)}
            operations = dict.fromkeys((*update.statistics, update.weights))
            self.run_tensors({name: name for name in operations}, batch.images_nhwc, feed)
            self._session.run(update.averages, {f"{STEP}:0": np.array(batch.step, np.float64)})
        result: dict[str, np.ndarray] = self._session.run(update.variables | update.slots)
        return result

    def _feed(self, batch: Batch) -> dict[str, np.ndarray]:
        draws = {draw.tensor: batch.draws[name] for name, draw in self.training.draws.items()}
        return {f"{LABELS}:0": batch.labels, **draws, **self._steps(batch.step)}

    def _steps(self, step: int) -> dict[str, np.ndarray]:
        return dict.fromkeys(self.training.steps, np.array(step, np.int64))
