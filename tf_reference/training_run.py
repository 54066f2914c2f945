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
        super().__init__(graph.network, None, threads, graph.others, cut)
        self.training = graph

    def forward(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return each layer's output (NHWC), by name. Nothing is updated."""
        fetches = {name: layer.tensor for name, layer in self.graph.layers.items()}
        return self.run_tensors(fetches, batch.images_nhwc, self._feed(batch))

    def backward(self, batch: Batch) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the parts of the loss, and the total's gradient at each layer (NHWC) and variable, all by name."""
        # In one run, as both take the whole forward.
        fetches = {}
        for name, tensor in self.training.losses.items():
            fetches["loss", name] = tensor
        for name, tensor in self.training.gradients.items():
            fetches["gradient", name] = tensor
        values = self.run_tensors(fetches, batch.images_nhwc, self._feed(batch))
        losses = {}
        gradients = {}
        for (kind, name), value in values.items():
            if kind == "loss":
                losses[name] = value
            else:
                gradients[name] = value
        return losses, gradients

    def statistics(self, batch: Batch, counts: Collection[int]) -> dict[int, dict[str, np.ndarray]]:
        """Return all variables after each of so many updates of the moving statistics alone, by the same batch."""
        variables_by_count: dict[int, dict[str, np.ndarray]] = {}
        for count in range(1, max(counts) + 1):
            self._run_operations(self.training.statistics, batch, self._feed(batch))
            if count in counts:
                variables_by_count[count] = self._session.run(self.training.variables)
        return variables_by_count

    def update(self, batches: Iterable[Batch], rate: float) -> dict[str, np.ndarray]:
        """Take whole steps, one for each batch. Return all variables, and what the optimiser and the averages keep.

        A step is the gradients of the weights as they are, moving statistics, weights, and then averages. The first
        call begins with the optimiser's first values and averages of the variables that were assigned. The graph has to
        be one for whole steps.
        """
        update = self.training.update
        assert update
        self._session.run(update.initialize)
        for batch in batches:
            feed = self._feed(batch)
            feed[f"{RATE}:0"] = np.array(rate)
            self._run_operations([*self.training.statistics, update.weights], batch, feed)
            # In a run of its own: averages are of the variables as they are after the step.
            step = np.array(batch.step, np.float64)
            self._session.run(update.averages, {f"{STEP}:0": step})
        result: dict[str, np.ndarray] = self._session.run(self.training.variables | update.slots)
        return result

    def _run_operations(self, names: Iterable[str], batch: Batch, feed: Mapping[str, np.ndarray]) -> None:
        """Run operations for what they update; `feed` is what is fed beside the images of the batch."""
        operations = {name: name for name in names}
        self.run_tensors(operations, batch.images_nhwc, feed)

    def _feed(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return what is fed for a batch, its images apart, by tensor."""
        feed = {f"{LABELS}:0": batch.labels}
        for name, draw in self.training.draws.items():
            feed[draw.tensor] = batch.draws[name]
        return feed | dict.fromkeys(self.training.steps, np.array(batch.step, np.int64))
