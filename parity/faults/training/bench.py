"""A small official network trained once, for as many changed ports as are to be judged by it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, cached_property

import torch

from parity.computing import Results
from parity.layers import Network
from parity.options import PHOTOGRAPHS
from parity.training.alone import OfficialAlone, official_alone
from parity.training.batch import make_batches, with_aux_head
from parity.training.judge import Judged
from parity.training.names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP
from parity.training.official import IntegerGradients, LiveTraining
from parity.training.verdict import LISTED, localized
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


class TrainingBench:
    """Mobile with drop path, trained officially once: `official` ran to make the rest, and can give more."""

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
        self.official = LiveTraining(NETWORK, graph, self.variables, self.batches, _no_integers, 1)
        self.parts = self.official.parts
        self.values = self.official.forward("float64")
        self.losses, self.gradients = self.official.backward("float64")
        self.steps = cache(self.official.steps)

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
        """All results on a port that `plant` changed, trained inside `around`, by `gates`, as far as the first that
        fails."""
        judged = self.judged(plant)

        def goes_on(gate: str) -> bool:
            return gate in gates and all(all(rows.values()) for rows in judged.results.values())

        with around():
            judged.forward(dict(self.values))
            if goes_on(LOSS) or goes_on(GRADIENT):
                judged.backward(self.losses, dict(self.gradients))
                if not all(judged.results[GRADIENT].values()):
                    judged.look_closer(OfficialAlone(self.parts.layers, dict(self.values), dict(self.gradients), {}))
            if goes_on(GRADIENT_FLOAT32):
                judged.backward_float32(self.alone())
            if goes_on(STEP):
                judged.update(self.steps(len(self.batches)))
                if not all(judged.results[STEP].values()):
                    any(judged.look_at_steps(count, self.steps(count)) for count in range(1, len(self.batches)))
        return judged.results

    def alone(self) -> OfficialAlone:
        """In float32, to be used up."""
        found = self._alone
        return replace(found, **{name: dict(getattr(found, name)) for name in ("values", "gradients", "errors")})

    @cached_property
    def _alone(self) -> OfficialAlone:
        return official_alone(self.official, "float32")

    def verdict(self, results: dict[str, Results]) -> tuple[str, tuple[str, ...]]:
        """The first gate that fails, and what it names, of more than a few the kinds; both are empty if none does."""
        for gate in GATES:
            if not all(results[gate].values()):
                named = localized(gate, self.parts.layers, results).sources
                few = gate != STEP or len(named) <= LISTED
                return gate, named if few else tuple(sorted({name.rpartition("/")[2] for name in named}))
        return "", ()


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
