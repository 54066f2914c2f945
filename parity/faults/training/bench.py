"""A small official network trained once, for as many changed ports as are to be judged by it."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, partial

import torch

from parity.core.computing import Results, no_progress
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP, names
from parity.diagnosis.training import LISTED
from parity.faults.training.remembered import RememberedTraining
from parity.gates.training.isolated import OfficialIsolated, official_isolated
from parity.gates.training.judge import judge
from parity.gates.training.judged import JudgedTraining
from parity.gates.training.localize import localized
from parity.reference.batch import make_batches, with_aux_head
from parity.reference.live_training import LiveTraining
from parity.reference.training import Arrays, IntegerGradients
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network
from tf_reference import checkpoint
from tf_reference.graph import GraphSpec
from tf_reference.official import Source, find
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import TrainingGraph, training_graph
from tf_reference.training_run import Batch

# Changes a model.
Plant = Callable[[PNASNet], object]
NETWORK = Network("mobile", 97, 97)
# In the order in which the first that fails is looked for.
GATES = (FORWARD, LOSS, GRADIENT, GRADIENT_FLOAT32, STEP)
# Mobile's own is 1: it would drop no path.
KEEP_PROB = 0.6


def plant_nothing(_model: PNASNet) -> None:
    """Leave a model as it is."""


class TrainingBench:
    """Mobile with drop path, trained officially once, for any number of ports."""

    def __init__(self, seed: int = 0) -> None:
        """Set up the official network, with photographs, weights and draws of this seed."""
        source = find()
        photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
        graph = cache(partial(_graph, source))
        self.graph = graph("float64")
        # One checkpoint for all seeds: of the weights, those of the auxiliary head alone are others.
        image_size = variant(NETWORK.variant).image_size
        prefix = synthetic_checkpoint(source, NETWORK.variant, image_size, 0, photographs)
        variables = checkpoint.read(prefix)
        self.variables, _ = with_aux_head(variables, self.graph, seed)
        chosen = [photographs[(seed + number) % len(photographs)] for number in range(2)]
        images_nhwc = load_images(source, chosen, NETWORK.height, NETWORK.width)
        self.batches = make_batches(self.graph, images_nhwc, seed)
        live = LiveTraining(NETWORK, graph, self.variables, self.batches, _no_integers)
        self.official = RememberedTraining(live)
        self.parts = live.parts

    @property
    def values(self) -> Arrays:
        """Each layer's official value (NHWC) in float64, on the first batch."""
        return self.official.forward("float64")

    @property
    def gradients(self) -> Arrays:
        """The official gradients in float64, of each layer (NHWC) and variable."""
        return self.official.backward("float64")[1]

    def judged(self, plant: Plant = plant_nothing, batches: Sequence[Batch] | None = None) -> JudgedTraining:
        """Return a port that `plant` changed, not judged yet; on these batches, or the bench's."""
        return JudgedTraining(NETWORK, self.parts, self.variables, batches or self.batches, _maker(plant))

    def judge(
        self,
        plant: Plant = plant_nothing,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        gates: Sequence[str] = GATES,
    ) -> dict[str, Results]:
        """Judge a port that `plant` changed, trained inside `around`, by `gates`, as `pytest parity --training` does.

        Returns the layer results by gate and name.
        """
        chosen = {gate: frozenset(self._names(gate)) for gate in gates}
        with around():
            results = judge(NETWORK, self.official, chosen, no_progress, _maker(plant))
        # In this order: a verdict takes the first that fails.
        return {gate: results[gate] for gate in gates}

    def _names(self, gate: str) -> Iterable[str]:
        """Return the names of what a gate judges: the official graph's layers and gradients, else what a port has."""
        if gate == FORWARD:
            return self.parts.layers
        if gate in (GRADIENT, GRADIENT_FLOAT32):
            return self.parts.gradients
        return names(gate, NETWORK)

    def alone(self) -> OfficialIsolated:
        """Return what the official network gives in float32, to be used up."""
        return official_isolated(self.official, "float32")

    def verdict(self, results: dict[str, Results]) -> tuple[str, tuple[str, ...]]:
        """Return the first gate that fails and what it names; both are empty if none does.

        Of a step that names more than a verdict lists, these are the kinds of what is kept, as in `rms`.
        """
        for gate in results:
            if all(results[gate].values()):
                continue
            culprits = localized(gate, self.parts.layers, results).culprits
            if gate == STEP and len(culprits) > LISTED:
                kinds = {name.rpartition("/")[2] for name in culprits}
                return gate, tuple(sorted(kinds))
            return gate, culprits
        return "", ()


def up_to(gate: str) -> tuple[str, ...]:
    """Return the gates that come before this one, and itself: those that tell whether it is the first to fail."""
    return GATES[: GATES.index(gate) + 1]


def _graph(source: Source, dtype: str, whole_steps: bool = False) -> TrainingGraph:
    """Return the official training graph in a dtype, with drop path."""
    hparams = (("drop_path_keep_prob", KEEP_PROB),)
    spec = GraphSpec(NETWORK.variant, NETWORK.height, NETWORK.width, dtype, training=True, hparams=hparams)
    return training_graph(source, spec, whole_steps)


def _no_integers() -> IntegerGradients:
    """Raise ValueError: the integer network is not trained."""
    raise ValueError("training alone")


def _maker(plant: Plant) -> Callable[..., PNASNet]:
    """Return a function that makes the port of the bench's network, as `plant` changed it."""

    def make(_network: Network, dtype: str = "float64") -> PNASNet:
        """Return the changed port, its weights to be loaded."""
        return make_port(plant, dtype)

    return make


def make_port(plant: Plant = plant_nothing, dtype: str = "float64") -> PNASNet:
    """Return the port as it is judged, and as `plant` changed it; weights are to be loaded."""
    config = replace(
        variant(NETWORK.variant).config,
        drop_path_keep_prob=KEEP_PROB,
        aux_image_size=(NETWORK.height, NETWORK.width),
    )
    model = empty_network(config, getattr(torch, dtype)).train()
    plant(model)
    return model
