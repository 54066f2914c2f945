"""Who feeds whom in a candidate: what arrives at its layers, and where that comes from."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from parity.candidate.model import CandidateModel
from parity.diagnosis.probe import Probe
from parity.diagnosis.relations import describe, same
from parity.diagnosis.replay import Observed, observe
from tf_reference.layers import IMAGES


class Wiring:
    """What arrives at the `layers` of a probe's candidate, which `model` looks into.

    `official` has TensorFlow's values (NHWC) of the layers, of what feeds them, and the images.
    """

    def __init__(
        self, probe: Probe, model: CandidateModel, official: Mapping[str, np.ndarray], layers: Sequence[str]
    ) -> None:
        self._probe = probe
        self._model = model
        self._official = official
        self._layers = layers
        self._graph = probe.sides.graph

    @cached_property
    def observed(self) -> Observed:
        """One forward of the candidate: which layer's output arrives where."""
        return observe(self._model, self._probe.images)

    @cached_property
    def miswired(self) -> set[str]:
        """The layers that get another value than the candidate's own output of the layer that should feed them."""
        # By the identity of tensors alone a sound candidate is suspected too, where it copies one; so values are
        # compared.
        suspects = {layer for layer in self._layers if self._is_fed_by_others(layer)}
        feeders: set[str] = set()
        for layer in suspects:
            feeders.update(self._graph.layers[layer].inputs)
        closer = observe(self._model, self._probe.images, suspects, feeders)
        # Of the candidate itself, not TensorFlow's: behind another fault no value is the official one any more.
        outputs = closer.outputs | {IMAGES: self._official[IMAGES]}
        miswired = set()
        for layer in suspects:
            names = self._graph.layers[layer].inputs
            if not outputs.keys() >= set(names):
                continue  # a layer that should feed it never runs, and is the fault itself
            # One that ran before and does not now is no matter of who feeds it.
            arrived = closer.inputs.get(layer)
            if arrived is None:
                continue
            due = [outputs[name] for name in names]
            if len(arrived) != len(due) or not all(map(_alike, arrived, due)):
                miswired.add(layer)
        return miswired

    def _is_fed_by_others(self, layer: str) -> bool:
        """Return whether a tensor that arrives at the layer is not the very output of the layer that should give it."""
        wired = self._wired(layer)
        # One that did not run gets nothing wrong.
        return self.observed.givers.get(layer, wired) != wired

    def _wired(self, layer: str) -> tuple[tuple[str, ...], ...]:
        """Return who gives each of the layer's inputs in a sound candidate."""
        return tuple((name,) for name in self._graph.layers[layer].inputs)

    def arrivals(self, layer: str) -> Iterator[str]:
        """Yield in words what arrives at the layer, for each input that is not what it should get.

        Nothing arrives where the candidate, run once more, does not run the layer.
        """
        arrived = observe(self._model, self._probe.images, [layer]).inputs.get(layer)
        if arrived is None or layer not in self.observed.givers:
            return
        names = self._graph.layers[layer].inputs
        if len(arrived) != len(names):
            yield f"it gets {len(arrived)} inputs, not {len(names)}"
        # Not strict: where it gets more or fewer than it should, those that are there are still looked at.
        inputs = list(zip(arrived, names, self.observed.givers[layer], strict=False))
        # The last giver of a tensor decides: it changed the tensor in place, or passed it on.
        from_elsewhere = [givers[-1:] != (name,) for _, name, givers in inputs]
        # What comes from where it should is not to blame, unless all does, and is another value all the same.
        all_to_blame = not any(from_elsewhere) and layer in self.miswired
        for number, (value, name, givers) in enumerate(inputs):
            to_blame = from_elsewhere[number] or all_to_blame
            if not to_blame or same(value, self._official[name]):
                continue
            place = f"input {number}" if len(names) > 1 else "it"
            yield f"{place} gets {self._giver(value, name, givers)}, not {name}"

    def _giver(self, value: np.ndarray, name: str, givers: tuple[str, ...]) -> str:
        """Return in words where a value (NHWC) comes from that should be that of the layer `name`."""
        if name in givers[:-1]:
            later_givers = givers[givers.index(name) + 1 :]
            return f"{name} as {' and '.join(later_givers)} changed it in place"
        if givers:
            return f"the output of {givers[-1]}"
        # No layer's own tensor: the values alone can tell.
        relation = describe(value, self._official[name])
        if relation:
            return f"a value of no layer: {name}, {relation}"
        same_shape = [other.name for other in self._graph.layers.values() if other.shape[1:] == value.shape[1:]]
        for other_name, official in self._probe.sides.reference.run(self._probe.images, same_shape).items():
            if same(value, official):
                return f"the values of {other_name}"
        return "a value of no layer"


def _alike(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether both are the same to rounding, or to the last bit where some are no numbers."""
    return same(actual, expected) or np.array_equal(actual, expected, equal_nan=True)
