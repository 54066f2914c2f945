"""A small official network trained once, for as many changed ports as are to be judged by it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache

import torch

from parity.core.computing import Results, no_progress
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP, names
from parity.diagnosis.training import LISTED
from parity.gates.training.isolated import OfficialIsolated, official_isolated
from parity.gates.training.judge import Judged, judge
from parity.gates.training.localize import localized
from parity.reference.batch import make_batches, with_aux_head
from parity.reference.training import Arrays, IntegerGradients, LiveTraining
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network
from tf_reference import checkpoint
from tf_reference.graph import GraphSpec
from tf_reference.official import find
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import TrainingGraph, training_graph
from tf_reference.training_run import Batch

Plant = Callable[[PNASNet], object]
NETWORK = Network("mobile", 97, 97)
GATES = (FORWARD, LOSS, GRADIENT, GRADIENT_FLOAT32, STEP)
# Mobile's own is 1: it would drop no path.
KEEP_PROB = 0.6


class RememberedTraining:
    """What the official network gives in training, computed when it is first asked for, and kept."""

    untrained = False

    def __init__(self, live: LiveTraining) -> None:
        self._live = live
        self.parts, self.integers = live.parts, live.integers
        self.variables, self.batches = live.variables, live.batches
        self._forward, self._backward = cache(live.forward), cache(live.backward)
        self._statistics, self._steps = cache(live.statistics), cache(live.steps)
        self._errors: Arrays | None = None

    def forward(self, dtype: str) -> Arrays:
        return dict(self._forward(dtype))

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        losses, gradients = self._backward(dtype)
        return dict(losses), dict(gradients)

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Of the official values and gradients in float32, which are the same each time."""
        if self._errors is None:
            self._errors = self._live.errors(values, gradients)
        return dict(self._errors)

    def statistics(self) -> dict[int, Arrays]:
        return {count: dict(rows) for count, rows in self._statistics().items()}

    def steps(self, count: int) -> Arrays:
        return dict(self._steps(count))

    def release(self, dtype: str) -> None:
        """Nothing: the next port is judged by the same."""


class TrainingBench:
    """Mobile with drop path, trained officially once, for any number of ports."""

    def __init__(self, seed: int = 0) -> None:
        """With photographs, weights and draws of this seed."""
        source, photographs = find(), sorted(PHOTOGRAPHS.glob("*.jpg"))

        @cache
        def graph(dtype: str) -> TrainingGraph:
            hparams = (("drop_path_keep_prob", KEEP_PROB),)
            size = NETWORK.height, NETWORK.width
            return training_graph(source, GraphSpec(NETWORK.variant, *size, dtype, training=True, hparams=hparams))

        self.graph = graph("float64")
        prefix = synthetic_checkpoint(source, NETWORK.variant, variant(NETWORK.variant).image_size, 0, photographs)
        self.variables, _ = with_aux_head(checkpoint.read(prefix), self.graph, seed)
        chosen = [photographs[(seed + number) % len(photographs)] for number in range(2)]
        self.batches = make_batches(self.graph, load_images(source, chosen, NETWORK.height, NETWORK.width), seed)
        live = LiveTraining(NETWORK, graph, self.variables, self.batches, _no_integers, 1)
        self.official = RememberedTraining(live)
        self.parts = live.parts

    @property
    def values(self) -> Arrays:
        """Each layer's official value in float64, on the first batch."""
        return self.official.forward("float64")

    @property
    def gradients(self) -> Arrays:
        """The official gradients in float64, of each layer and variable."""
        return self.official.backward("float64")[1]

    def judged(self, plant: Plant = lambda _model: None, batches: Sequence[Batch] | None = None) -> Judged:
        """A port that `plant` changed, not judged yet; on these batches, or the bench's."""

        def make(_network: Network, dtype: str = "float64") -> PNASNet:
            return make_port(plant, dtype)

        return Judged(NETWORK, self.parts, self.variables, batches or self.batches, make)

    def judge(
        self,
        plant: Plant = lambda _model: None,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        gates: Sequence[str] = GATES,
    ) -> dict[str, Results]:
        """What `pytest parity --training` makes of a port that `plant` changed, trained inside `around`, by `gates`."""
        named = {FORWARD: self.parts.layers, GRADIENT: self.parts.gradients, GRADIENT_FLOAT32: self.parts.gradients}
        chosen = {gate: frozenset(named.get(gate) or names(gate, NETWORK)) for gate in gates}

        def make(_network: Network, dtype: str = "float64") -> PNASNet:
            return make_port(plant, dtype)

        with around():
            results = judge(NETWORK, self.official, chosen, no_progress, make)
        return {gate: results[gate] for gate in gates}

    def alone(self) -> OfficialIsolated:
        """In float32, to be used up."""
        return official_isolated(self.official, "float32")

    def verdict(self, results: dict[str, Results]) -> tuple[str, tuple[str, ...]]:
        """The first gate that fails, and what it names, of more than a few the kinds; both are empty if none does."""
        for gate in results:
            if not all(results[gate].values()):
                named = localized(gate, self.parts.layers, results).culprits
                few = gate != STEP or len(named) <= LISTED
                return gate, named if few else tuple(sorted({name.rpartition("/")[2] for name in named}))
        return "", ()


def up_to(gate: str) -> tuple[str, ...]:
    """The gates that come before this one, and it: of a fault that it is to find first."""
    return GATES[: GATES.index(gate) + 1]


def _no_integers() -> IntegerGradients:
    raise ValueError("training alone")


def make_port(plant: Plant = lambda _model: None, dtype: str = "float64") -> PNASNet:
    """The port as it is judged, and as `plant` changed it; weights are to be loaded."""
    config = replace(
        variant(NETWORK.variant).config,
        drop_path_keep_prob=KEEP_PROB,
        aux_image_size=(NETWORK.height, NETWORK.width),
    )
    model = empty_network(config, getattr(torch, dtype)).train()
    plant(model)
    return model
