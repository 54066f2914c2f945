"""A close look at failing layers, one by one: each run alone on TensorFlow's inputs, and what arrives at it."""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parity.candidate.model import candidate_model
from parity.core import compare, metrics
from parity.core.layers import Network, layer_of
from parity.core.result import LayerResult
from parity.diagnosis.hints import Operation, mistake, parameter_hints
from parity.diagnosis.relations import describe, same
from parity.diagnosis.replay import Observed, observe, replaced, replay
from parity.gates.context import Sides
from tf_reference.layers import IMAGES

# Alone, a sound layer takes this share of the float64 bound at most: its own few roundings, of 1e-16 each.
SOUND_ALONE = 1e-4


@dataclass(frozen=True)
class Probe:
    """Both networks with weights and images loaded, as `gate` runs them.

    `single` is the same in float32 beside float64, to replay the culprits there too.
    """

    network: Network
    gate: str
    sides: Sides
    images: np.ndarray
    variables: Mapping[str, np.ndarray]
    single: Sides | None = None


class Examiner:
    """Examines those of `layers` that both sides have and whose inputs the reference knows.

    Raises CandidateError where the port cannot be made or filled.
    """

    def __init__(self, probe: Probe, layers: Sequence[str]) -> None:
        self.probe = probe
        self.graph = probe.sides.graph
        # Finding the layers of a model takes longer than running one: it is done once.
        self.model = candidate_model(probe.sides.candidate.model)
        common = self.model.replayable & self.graph.layers.keys()
        self.official = self._official([layer for layer in layers if layer in common])
        known = self.official.keys()
        self.layers = [
            layer for layer in layers if layer in common and known >= {layer, *self.graph.layers[layer].inputs}
        ]

    def _official(self, layers: Iterable[str]) -> Mapping[str, np.ndarray]:
        """TensorFlow's values of the layers and of what feeds them, and the images."""
        names = {name for layer in layers for name in (layer, *self.graph.layers[layer].inputs)} - {IMAGES}
        images = self.probe.images.astype(self.graph.spec.dtype)
        return ChainMap({IMAGES: images}, self.probe.sides.reference.run(images, sorted(names)))

    @cached_property
    def observed(self) -> Observed:
        """One forward of the port."""
        return observe(self.model, self.probe.images)

    def _inputs(self, layer: str) -> list[np.ndarray]:
        return [self.official[name] for name in self.graph.layers[layer].inputs]

    @cached_property
    def replays(self) -> dict[str, LayerResult]:
        """Each layer alone on TensorFlow's own inputs to it, judged by the probe's gate."""
        return {layer: self._replay(layer) for layer in self.layers}

    def _replay(self, layer: str) -> LayerResult:
        try:
            actual = replay(self.model, layer, self._inputs(layer))
        except Exception as error:  # whatever a faulty layer raises is its result
            problem = f"it raises {type(error).__name__}: {error}"
            return LayerResult(self.probe.gate, str(self.probe.network), layer, problem=problem)
        return self._judge(layer, actual)

    def _judge(self, layer: str, actual: np.ndarray) -> LayerResult:
        """By the probe's gate."""
        judge = compare.exact if self.probe.gate.startswith("exact") else compare.float64
        return judge(str(self.probe.network), layer, actual, self.official[layer])

    def differs_from_run_to_run(self, layer: str) -> bool:
        """Whether the port, run twice more, gives other values at the layer, or now gives the right ones."""
        first, second = (observe(self.model, self.probe.images, (), [layer]).outputs[layer] for _ in range(2))
        return not np.array_equal(first, second, equal_nan=True) or bool(self._judge(layer, first))

    def explained(self, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Which of these failing layers, that pass alone, fail because of layers before them that pass too; and of
        which: those that differ when they are run alone, within their bounds, but by more than any sound one.

        It is tried: with the official values in the place of theirs, the port has to pass.
        """
        before = {layer: _ancestors(self.graph.feeders, layer) for layer in layers}
        everything = set().union(*before.values())
        alone = Examiner(self.probe, [name for name in self.graph.layers if name in everything])
        suspects = [name for name, result in alone.replays.items() if not result or result.margin > SOUND_ALONE]
        with replaced(self.model, {name: alone.official[name] for name in suspects}):
            outputs = observe(self.model, self.probe.images, (), layers).outputs
        passing = [layer for layer, actual in outputs.items() if self._judge(layer, actual)]
        behind = {layer: tuple(name for name in suspects if name in before[layer]) for layer in passing}
        return {layer: names for layer, names in behind.items() if names}

    def replay_in_float32(self, layer: str) -> Iterator[LayerResult]:
        """The layer alone on TensorFlow's float32 inputs, measured from what TensorFlow makes of them in float64.

        Nothing where the probe has no float32 side.
        """
        if not self.probe.single:
            return
        names = self.graph.layers[layer].inputs
        values = self.probe.single.reference.run(self.probe.images, [*({layer, *names} - {IMAGES})])
        values[IMAGES] = self.probe.images
        inputs = [values[name] for name in names]
        truth = self.probe.sides.reference.replay(layer, inputs)
        network, official = str(self.probe.network), metrics.distance(values[layer], truth)
        try:
            actual = replay(self.probe.single.candidate.model, layer, inputs)
        except Exception as error:
            yield LayerResult("float32", network, layer, problem=f"it raises {type(error).__name__}: {error}")
        else:
            independent = metrics.independent_neighbourhoods(self.probe.images[0])
            yield compare.float32(network, layer, actual, truth, official, independent)

    @cached_property
    def at_fault(self) -> set[str]:
        """The layers that are at fault by themselves, whatever comes before them."""
        return self._miswired | {layer for layer, result in self.replays.items() if not result}

    @cached_property
    def _miswired(self) -> set[str]:
        """The layers that get another value than the port's own output of the layer that should feed them."""
        # By the identity of tensors alone a sound port is suspected too, where it copies one; so values are compared.
        suspects = {layer for layer in self.layers if self._is_fed_by_others(layer)}
        feeders = {name for layer in suspects for name in self.graph.layers[layer].inputs}
        closer = observe(self.model, self.probe.images, suspects, feeders)
        outputs = closer.outputs | {IMAGES: self.official[IMAGES]}
        miswired = set()
        for layer in suspects:
            names = self.graph.layers[layer].inputs
            if not outputs.keys() >= set(names):
                continue  # a layer that should feed it never runs, and is the fault itself
            arrived, due = closer.inputs[layer], [outputs[name] for name in names]
            if len(arrived) != len(due) or not all(map(_alike, arrived, due)):
                miswired.add(layer)
        return miswired

    def _is_fed_by_others(self, layer: str) -> bool:
        """Whether a tensor that arrives at the layer is not the very output of the layer that should give it."""
        wired = self._wired(layer)
        return self.observed.givers.get(layer, wired) != wired

    def _wired(self, layer: str) -> tuple[tuple[str, ...], ...]:
        """Who gives each of the layer's inputs in a sound port."""
        return tuple((name,) for name in self.graph.layers[layer].inputs)

    def arrivals(self, layer: str) -> Iterator[str]:
        """What arrives at the layer in the place of each input that it should get, in words."""
        arrived, names = observe(self.model, self.probe.images, [layer]).inputs[layer], self.graph.layers[layer].inputs
        if len(arrived) != len(names):
            yield f"it gets {len(arrived)} inputs, not {len(names)}"
        rows = list(zip(arrived, names, self.observed.givers[layer], strict=False))
        wrong = [givers[-1:] != (name,) for _, name, givers in rows]
        for number, (value, name, givers) in enumerate(rows):
            # What comes from where it should is not to blame, unless all does.
            wired = not wrong[number] and (any(wrong) or layer not in self._miswired)
            if wired or same(value, self.official[name]):
                continue
            place = f"input {number}" if len(names) > 1 else "it"
            yield f"{place} gets {self._giver(value, name, givers)}, not {name}"

    def _giver(self, value: np.ndarray, name: str, givers: tuple[str, ...]) -> str:
        """Where a value comes from that should be that of the layer `name`."""
        if name in givers[:-1]:
            return f"{name} as {' and '.join(givers[givers.index(name) + 1 :])} changed it in place"
        if givers:
            return f"the output of {givers[-1]}"
        if relation := describe(value, self.official[name]):
            return f"a value of no layer: {name}, {relation}"
        alike = [row.name for row in self.graph.layers.values() if row.shape[1:] == value.shape[1:]]
        official = self.probe.sides.reference.run(self.probe.images, alike)
        equal = next((layer for layer, values in official.items() if same(value, values)), None)
        return f"the values of {equal}" if equal else "a value of no layer"

    def operation_hints(self, layer: str) -> Iterator[str]:
        """What the layer does instead of the official operation, and how its parameters differ."""
        variables, inputs = self.probe.variables, self._inputs(layer)
        own = {name.rpartition("/")[2]: variables[name] for name in variables if layer_of(name) == layer}
        try:
            actual = replay(self.model, layer, inputs)
        except Exception:  # reported as the replay's result
            return
        expected = self.official[layer]
        found = mistake(Operation(self.graph.layers[layer].kind, tuple(inputs), expected, own), actual)
        parameters = parameter_hints(self.model, layer, variables)
        if found or (not parameters and (found := describe(actual, expected))):
            yield f"it gives: {found}"
        yield from parameters


def _ancestors(feeders: Mapping[str, Sequence[str]], layer: str) -> set[str]:
    """All layers that feed this one, through others or not."""
    found: set[str] = set()
    left = [layer]
    while left:
        new = [name for name in feeders.get(left.pop(), ()) if name not in found]
        found.update(new)
        left.extend(new)
    return found


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same to rounding, or to the last bit where some are no numbers."""
    return same(one, other) or np.array_equal(one, other, equal_nan=True)
