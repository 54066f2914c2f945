"""The official network in training: recorded as it runs, or as a trace holds it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from parity.core.layers import Network
from parity.reference.trace import layout
from parity.reference.trace.store import Reader
from parity.reference.training import UPDATES, Arrays, IntegerGradients, OfficialTraining, Parts
from tf_reference.layers import describe_layers, restore_layers
from tf_reference.training_run import Batch


class Sink(Protocol):
    """Where arrays and plain data of a network are written."""

    def put_training(self, network: Network, arrays: Mapping[str, Arrays], about: Mapping[str, Any]) -> None:
        """Record arrays by group and name, and plain data about them."""
        ...


class RecordedTraining:
    """The official network in training, `live`, with all that it gives written into `sink` on the way."""

    def __init__(self, live: OfficialTraining, network: Network, sink: Sink) -> None:
        self.parts = live.parts
        self.variables = live.variables
        self.batches = live.batches
        self.untrained = live.untrained
        self.release = live.release
        self._live = live
        self._network = network
        self._sink = sink
        self._record_inputs()

    def _record_inputs(self) -> None:
        """Record what is there before anything runs: the parts of the graph, the variables, and the batches."""
        about = {
            "gradients": sorted(self.parts.gradients),
            "draws": sorted(self.parts.draws),
            "regularized": sorted(self.parts.regularized),
            "layers": describe_layers(self.parts.layers),
            "untrained": self.untrained,
            "steps": [batch.step for batch in self.batches],
        }
        arrays = {"variables": dict(self.variables)}
        for number, batch in enumerate(self.batches):
            arrays[f"batch-{number}"] = {"images": batch.images_nhwc, "labels": batch.labels}
            arrays[f"draws-{number}"] = dict(batch.draws)
        self._sink.put_training(self._network, arrays, about)

    def forward(self, dtype: str) -> Arrays:
        """Return and record each layer's value on the first batch."""
        return self._record(f"forward-{dtype}", self._live.forward(dtype))

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """Return and record the parts of the loss, and the gradients at each layer and of each variable."""
        losses, gradients = self._live.backward(dtype)
        return self._record(f"losses-{dtype}", losses), self._record(f"gradients-{dtype}", gradients)

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Return and record how far each of `gradients` is from the one in float64 on the same values."""
        return self._record("errors", self._live.errors(values, gradients))

    def statistics(self) -> dict[int, Arrays]:
        """Return and record the moving statistics after each number of updates."""
        statistics_by_count = self._live.statistics()
        for count, statistics in statistics_by_count.items():
            self._record(f"statistics-{count}", statistics)
        return statistics_by_count

    def steps(self, count: int) -> Arrays:
        """Return all that `count` whole steps change; record that, and also what fewer steps change."""
        # A step that fails is looked at from the first one that differs, which only the candidate's judging will tell.
        for fewer in range(1, count):
            self._record(f"steps-{fewer}", self._live.steps(fewer))
        return self._record(f"steps-{count}", self._live.steps(count))

    def integers(self) -> IntegerGradients:
        """Return and record the integer network's values and gradients."""
        official = self._live.integers()
        arrays = {
            "integers-variables": dict(official.variables),
            "integers-inputs": {"images": official.images_nhwc, "given": official.given_nhwc},
            "integers-values": official.values,
            "integers-gradients": official.gradients,
        }
        self._sink.put_training(self._network, arrays, {"integers": describe_layers(official.layers)})
        return official

    def _record(self, group: str, arrays: Arrays) -> Arrays:
        """Record the arrays of one group, and return them."""
        self._sink.put_training(self._network, {group: arrays}, {})
        return arrays


class StoredTraining:
    """The official network in training, as `reader` holds it; `about` is the plain data that was stored with it."""

    def __init__(self, reader: Reader, network: Network, about: Mapping[str, Any]) -> None:
        self._reader = reader
        self._network = network
        self._about = about
        self.parts = Parts(
            layers=restore_layers(about["layers"]),
            gradients=frozenset(about["gradients"]),
            draws=frozenset(about["draws"]),
            regularized=frozenset(about["regularized"]),
        )
        self.untrained: bool = about["untrained"]
        self.variables: Mapping[str, np.ndarray] = self._read_all("variables")
        self.batches: Sequence[Batch] = [self._read_batch(number, step) for number, step in enumerate(about["steps"])]

    def _read_all(self, group: str) -> Arrays:
        """Return all arrays of a group by name."""
        folder = layout.training(self._network, group)
        arrays = {}
        for name in self._reader.below(folder):
            arrays[layout.unflat(name)] = self._reader.get(f"{folder}/{name}")
        return arrays

    def _read_batch(self, number: int, step: int) -> Batch:
        inputs = self._read_all(f"batch-{number}")
        return Batch(inputs["images"], inputs["labels"], self._read_all(f"draws-{number}"), step)

    def forward(self, dtype: str) -> Arrays:
        """Return each layer's value on the first batch."""
        return self._read_all(f"forward-{dtype}")

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """Return the parts of the loss, and the gradients at each layer and of each variable."""
        return self._read_all(f"losses-{dtype}"), self._read_all(f"gradients-{dtype}")

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Return how far each official gradient in float32 is from the one in float64 on the same values."""
        return self._read_all("errors")

    def statistics(self) -> dict[int, Arrays]:
        """Return the moving statistics after each number of updates in `UPDATES`."""
        return {count: self._read_all(f"statistics-{count}") for count in UPDATES}

    def steps(self, count: int) -> Arrays:
        """Return all variables, and what the optimiser and the averages keep, after `count` whole steps."""
        return self._read_all(f"steps-{count}")

    def integers(self) -> IntegerGradients:
        """Return the integer network's values and gradients."""
        inputs = self._read_all("integers-inputs")
        return IntegerGradients(
            layers=restore_layers(self._about["integers"]),
            variables=self._read_all("integers-variables"),
            images_nhwc=inputs["images"],
            given_nhwc=inputs["given"],
            values=self._read_all("integers-values"),
            gradients=self._read_all("integers-gradients"),
        )

    def release(self, dtype: str) -> None:
        """Free nothing: no session is open."""
