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

PARTS = ("gradients", "draws", "regularized")


class Sink(Protocol):
    """Where arrays and plain data of a network are written."""

    def put_training(self, network: Network, arrays: Mapping[str, Arrays], about: Mapping[str, Any]) -> None: ...


class RecordedTraining:
    """What `live` gives is written down on the way."""

    def __init__(self, live: OfficialTraining, network: Network, sink: Sink) -> None:
        self.parts, self.variables, self.batches = live.parts, live.variables, live.batches
        self.untrained, self.release = live.untrained, live.release
        self._live, self._network, self._sink = live, network, sink
        about: dict[str, Any] = {name: sorted(getattr(live.parts, name)) for name in PARTS}
        about |= {"layers": describe_layers(live.parts.layers), "untrained": live.untrained}
        about |= {"steps": [batch.step for batch in live.batches]}
        arrays = {"variables": {**live.variables}}
        for number, batch in enumerate(live.batches):
            arrays[f"batch-{number}"] = {"images": batch.images_nhwc, "labels": batch.labels}
            arrays[f"draws-{number}"] = {**batch.draws}
        sink.put_training(network, arrays, about)

    def forward(self, dtype: str) -> Arrays:
        return self._kept(f"forward-{dtype}", self._live.forward(dtype))

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        losses, gradients = self._live.backward(dtype)
        return self._kept(f"losses-{dtype}", losses), self._kept(f"gradients-{dtype}", gradients)

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        return self._kept("errors", self._live.errors(values, gradients))

    def statistics(self) -> dict[int, Arrays]:
        found = self._live.statistics()
        return {count: self._kept(f"statistics-{count}", rows) for count, rows in found.items()}

    def steps(self, count: int) -> Arrays:
        """Those before, too: a step that fails is looked at from the first one that differs."""
        for number in range(1, count):
            self._kept(f"steps-{number}", self._live.steps(number))
        return self._kept(f"steps-{count}", self._live.steps(count))

    def integers(self) -> IntegerGradients:
        found = self._live.integers()
        arrays = {
            "integers-variables": {**found.variables},
            "integers-inputs": {"images": found.images_nhwc, "given": found.given_nhwc},
            "integers-values": found.values,
            "integers-gradients": found.gradients,
        }
        self._sink.put_training(self._network, arrays, {"integers": describe_layers(found.layers)})
        return found

    def _kept(self, group: str, arrays: Arrays) -> Arrays:
        self._sink.put_training(self._network, {group: arrays}, {})
        return arrays


class StoredTraining:
    """What `reader` holds of a network in training, with all `about` it."""

    def __init__(self, reader: Reader, network: Network, about: Mapping[str, Any]) -> None:
        self._reader, self._network, self._about = reader, network, about
        self.parts = Parts(restore_layers(about["layers"]), *(frozenset(about[name]) for name in PARTS))
        self.untrained: bool = about["untrained"]
        self.variables: Mapping[str, np.ndarray] = self._all("variables")
        self.batches: Sequence[Batch] = [self._batch(number, step) for number, step in enumerate(about["steps"])]

    def _all(self, group: str) -> Arrays:
        folder = layout.training(self._network, group)
        return {layout.unflat(name): self._reader.get(f"{folder}/{name}") for name in self._reader.below(folder)}

    def _batch(self, number: int, step: int) -> Batch:
        given = self._all(f"batch-{number}")
        return Batch(given["images"], given["labels"], self._all(f"draws-{number}"), step)

    def forward(self, dtype: str) -> Arrays:
        return self._all(f"forward-{dtype}")

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        return self._all(f"losses-{dtype}"), self._all(f"gradients-{dtype}")

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        return self._all("errors")

    def statistics(self) -> dict[int, Arrays]:
        return {count: self._all(f"statistics-{count}") for count in UPDATES}

    def steps(self, count: int) -> Arrays:
        return self._all(f"steps-{count}")

    def integers(self) -> IntegerGradients:
        inputs = self._all("integers-inputs")
        return IntegerGradients(
            restore_layers(self._about["integers"]),
            self._all("integers-variables"),
            inputs["images"],
            inputs["given"],
            self._all("integers-values"),
            self._all("integers-gradients"),
        )

    def release(self, dtype: str) -> None:
        """Nothing runs."""
