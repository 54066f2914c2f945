"""A close look at failing layers, one by one: each run alone on TensorFlow's inputs, and what arrives at it."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from parity.candidate.model import candidate_model
from parity.core import compare, metrics
from parity.core.layers import layer_of
from parity.core.result import LayerResult
from parity.diagnosis.hints import Operation, mistake, parameter_hints
from parity.diagnosis.probe import Probe
from parity.diagnosis.relations import describe
from parity.diagnosis.replay import observe, replaced, replay, replay_in_context
from parity.diagnosis.wiring import Wiring
from tf_reference.layers import IMAGES

# Alone, a sound layer takes this share of the float64 bound at most: its own few roundings, of 1e-16 each.
SOUND_ALONE = 1e-4


class Examiner:
    """Examines those of `layers` that both sides have and whose inputs the reference knows.

    `official` has TensorFlow's values (NHWC) of these, of what feeds them, and the images. Raises CandidateError where
    the candidate cannot be made or filled.
    """

    def __init__(self, probe: Probe, layers: Sequence[str]) -> None:
        self.probe = probe
        self.graph = probe.sides.graph
        # Finding the layers of a model takes longer than running one: it is done once.
        self.model = candidate_model(probe.sides.candidate.model)
        observable = self.model.observable | {IMAGES}
        alone = self.model.replayable & self.graph.layers.keys()
        # The others are run where they are, so that what feeds them has to be seen, for its value to be replaced.
        common = []
        for layer in layers:
            is_seen = layer in self.graph.layers and observable >= {layer, *self.graph.layers[layer].inputs}
            if layer in alone or is_seen:
                common.append(layer)
        self.official = self._official(common)
        # A trace holds the layers that were judged when it was recorded, and may lack what feeds one.
        known = self.official.keys()
        replayable = [layer for layer in common if known >= {layer, *self.graph.layers[layer].inputs}]
        self.layers = [layer for layer in replayable if layer in alone]
        self._in_context = [layer for layer in replayable if layer not in alone]

    def _official(self, layers: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Return TensorFlow's values (NHWC) of the layers and of what feeds them, and the images."""
        names = set(layers)
        for layer in layers:
            names.update(self.graph.layers[layer].inputs)
        # No layer: TensorFlow is fed with them.
        names.discard(IMAGES)
        images_nhwc = self.probe.images.astype(self.graph.spec.dtype)
        # Chained, not copied: a trace's values are read when they are asked for, and take gigabytes together.
        values = self.probe.sides.reference.run(images_nhwc, sorted(names))
        # Its type asks for values that can be written, and nobody writes to these.
        return ChainMap({IMAGES: images_nhwc}, cast("MutableMapping[str, np.ndarray]", values))

    @cached_property
    def wiring(self) -> Wiring:
        """What arrives at the layers."""
        return Wiring(self.probe, self.model, self.official, self.layers)

    def _inputs(self, layer: str) -> list[np.ndarray]:
        return [self.official[name] for name in self.graph.layers[layer].inputs]

    @cached_property
    def replays(self) -> dict[str, LayerResult]:
        """The result of each layer alone on TensorFlow's own inputs to it, judged by the probe's gate."""
        return {layer: self._replay(layer) for layer in self.layers}

    def _replay(self, layer: str) -> LayerResult:
        try:
            actual = replay(self.model, layer, self._inputs(layer))
        except Exception as error:  # whatever a faulty layer raises is its result
            problem = f"it raises {type(error).__name__}: {error}"
            return LayerResult(self.probe.gate, str(self.probe.network), layer, problem=problem)
        return self._judge(layer, actual)

    def _judge(self, layer: str, actual: np.ndarray) -> LayerResult:
        """Judge a layer's value (NHWC) by the probe's gate."""
        judge = compare.exact if self.probe.gate.startswith("exact") else compare.float64
        return judge(str(self.probe.network), layer, actual, self.official[layer])

    @cached_property
    def _given_in_context(self) -> dict[str, np.ndarray]:
        """What the layers give (NHWC) that cannot be run alone, where all that feeds them gives the official values."""
        if not self._in_context:
            return {}
        values: dict[str, np.ndarray] = {}
        for layer in self._in_context:
            for name in (layer, *self.graph.layers[layer].inputs):
                values[name] = self.official[name]
        return replay_in_context(self.model, self.probe.images, values)

    @cached_property
    def in_context(self) -> dict[str, LayerResult]:
        """The result of each layer that cannot be run alone, where all that feeds it gives the official values."""
        given = self._given_in_context
        return {layer: self._judge(layer, given[layer]) for layer in self._in_context if layer in given}

    def differs_from_run_to_run(self, layer: str) -> bool:
        """Return whether the candidate, run twice more, gives different values at the layer, or now the right ones.

        So it does where it does not run the layer each time.
        """
        first = observe(self.model, self.probe.images, outputs_of=[layer]).outputs.get(layer)
        second = observe(self.model, self.probe.images, outputs_of=[layer]).outputs.get(layer)
        if first is None or second is None:
            return True
        # NaN in the same places is no other value.
        return not np.array_equal(first, second, equal_nan=True) or bool(self._judge(layer, first))

    def explained(self, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return which of the failing `layers`, that pass alone, fail because of layers before them that pass too.

        For each, these are named: those that differ when they are run alone, within their bounds, but by more than any
        sound one. It is tried: with the official values in the place of theirs, the candidate has to pass.
        """
        ancestors = {layer: _ancestors(self.graph.feeders, layer) for layer in layers}
        all_ancestors = set().union(*ancestors.values())
        in_order = [name for name in self.graph.layers if name in all_ancestors]
        alone = Examiner(self.probe, in_order)
        # By name, with the official values.
        suspects: dict[str, np.ndarray] = {}
        for name, result in alone.replays.items():
            if not result or result.margin > SOUND_ALONE:
                suspects[name] = alone.official[name]
        with replaced(self.model, suspects):
            outputs = observe(self.model, self.probe.images, outputs_of=layers).outputs
        explained: dict[str, tuple[str, ...]] = {}
        for layer, actual in outputs.items():
            if self._judge(layer, actual):
                suspects_before = tuple(name for name in suspects if name in ancestors[layer])
                if suspects_before:
                    explained[layer] = suspects_before
        return explained

    def replay_in_float32(self, layer: str) -> Iterator[LayerResult]:
        """Yield the result of the layer alone on TensorFlow's float32 inputs.

        It is measured from what TensorFlow makes of the same inputs in float64. Yields nothing where the probe has no
        float32 side.
        """
        if not self.probe.single:
            return
        names = self.graph.layers[layer].inputs
        needed = {layer, *names} - {IMAGES}
        values = self.probe.single.reference.run(self.probe.images, list(needed))
        inputs = [self.probe.images if name == IMAGES else values[name] for name in names]
        # Not the float64 network's own value: its inputs are others, and the float32 ones come with their rounding.
        truth = self.probe.sides.reference.replay(layer, inputs)
        network = str(self.probe.network)
        official_distance = metrics.distance(values[layer], truth)
        try:
            actual = replay(self.probe.single.candidate.model, layer, inputs)
        except Exception as error:  # whatever a faulty layer raises is its result
            yield LayerResult("float32", network, layer, problem=f"it raises {type(error).__name__}: {error}")
        else:
            independent = metrics.independent_neighbourhoods(self.probe.images[0])
            yield compare.float32(network, layer, actual, truth, official_distance, independent)

    @cached_property
    def at_fault(self) -> set[str]:
        """The layers that are at fault by themselves, whatever comes before them."""
        at_fault = set(self.wiring.miswired)
        for layer, result in (*self.replays.items(), *self.in_context.items()):
            if not result:
                at_fault.add(layer)
        return at_fault

    def operation_hints(self, layer: str) -> Iterator[str]:
        """Yield in words what the layer does instead of the official operation, and how its parameters differ."""
        inputs = self._inputs(layer)
        try:
            actual = self._given_in_context[layer] if layer in self.in_context else replay(self.model, layer, inputs)
        except Exception:  # reported as the replay's result
            return
        own_variables: dict[str, np.ndarray] = {}
        for name in self.probe.variables:
            if layer_of(name) == layer:
                own_variables[name.rpartition("/")[2]] = self.probe.variables[name]
        expected = self.official[layer]
        operation = Operation(self.graph.layers[layer].kind, tuple(inputs), expected, own_variables)
        description = mistake(operation, actual)
        parameters = parameter_hints(self.model, layer, self.probe.variables)
        # What the values look like is asked last: wrong parameters say more, and explain them.
        if not description and not parameters:
            description = describe(actual, expected)
        if description:
            yield f"it gives: {description}"
        yield from parameters


def _ancestors(feeders: Mapping[str, Sequence[str]], layer: str) -> set[str]:
    """Return all layers that feed this one, through others or not."""
    ancestors: set[str] = set()
    to_visit = [layer]
    while to_visit:
        for name in feeders.get(to_visit.pop(), ()):
            if name not in ancestors:
                ancestors.add(name)
                to_visit.append(name)
    return ancestors
