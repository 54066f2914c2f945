"""A small official network trained once, for as many changed ports as are to be judged by it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from parity.layers import Network
from parity.options import PHOTOGRAPHS
from parity.training import make_batches, with_aux_head
from parity.training.alone import OfficialAlone
from parity.training.judge import RATE, Judged
from parity.training.names import FORWARD, GRADIENT, LOSS, STEP
from parity.training.verdict import LISTED, localized
from parity.values import Results
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import TrainingGraph, training_graph
from tf_reference.training_run import Batch, TrainingReference

NETWORK = Network("mobile", 97, 97)
# Mobile's own is 1: it would drop no path.
KEEP_PROB = 0.6


@dataclass(frozen=True)
class TrainingBench:
    """Mobile with drop path, what it was trained on, and what became of it: after all steps, and after so many less."""

    graph: TrainingGraph
    variables: dict[str, np.ndarray]
    batches: list[Batch]
    values: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    earlier: list[dict[str, np.ndarray]]
    updated: dict[str, np.ndarray]

    @classmethod
    def make(cls, seed: int = 0) -> Self:
        """With photographs, weights and draws of this seed."""
        source, photographs = official.find(), sorted(PHOTOGRAPHS.glob("*.jpg"))
        hparams = (("drop_path_keep_prob", KEEP_PROB),)
        graph = training_graph(
            source, GraphSpec(NETWORK.variant, NETWORK.height, NETWORK.width, "float64", training=True, hparams=hparams)
        )
        prefix = synthetic_checkpoint(source, NETWORK.variant, variant(NETWORK.variant).image_size, 0, photographs)
        variables, _ = with_aux_head(checkpoint.read(prefix), graph, seed)
        chosen = [photographs[(seed + number) % len(photographs)] for number in range(2)]
        batches = make_batches(graph, load_images(source, chosen, NETWORK.height, NETWORK.width), seed)
        with TrainingReference(graph, 1) as reference:
            reference.assign(variables)
            values, (losses, gradients) = reference.forward(batches[0]), reference.backward(batches[0])
            steps = []
            for count in range(1, len(batches) + 1):
                reference.assign(variables)
                steps.append(reference.update(batches[:count], RATE))
        return cls(graph, variables, batches, values, losses, gradients, steps[:-1], steps[-1])

    def judge(
        self,
        plant: Callable[[PNASNet], object] = lambda _model: None,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        gates: Sequence[str] = (FORWARD, LOSS, GRADIENT, STEP),
    ) -> dict[str, Results]:
        """All results on a port that `plant` changed, trained inside `around`, as far as the first of `gates` that
        fails."""
        judged = Judged(NETWORK, self.graph, self.variables, lambda _network: make_port(plant))
        with around():
            judged.forward(self.batches[0], dict(self.values))
            if all(judged.results[FORWARD].values()) and {*gates} & {LOSS, GRADIENT}:
                judged.backward(self.batches[0], self.losses, dict(self.gradients))
                if not all(judged.results[GRADIENT].values()):
                    judged.look_closer(self.batches[0], self.alone())
            if all(all(judged.results[gate].values()) for gate in (FORWARD, LOSS, GRADIENT)) and STEP in gates:
                judged.update(self.batches, self.updated)
                if not all(judged.results[STEP].values()):
                    any(judged.look_at_steps(self.batches[:count], self.earlier[count - 1]) for count in (1, 2))
        return judged.results

    def alone(self) -> OfficialAlone:
        """What a closer look at gradients uses up."""
        return OfficialAlone(self.graph.network.layers, dict(self.values), dict(self.gradients), {})

    def verdict(self, results: dict[str, Results]) -> tuple[str, tuple[str, ...]]:
        """The first gate that fails, and what it names, of more than a few the kinds; both are empty if none does."""
        for gate in (FORWARD, LOSS, GRADIENT, STEP):
            if not all(results[gate].values()):
                named = localized(gate, self.graph.network.layers, results[gate]).sources
                few = gate != STEP or len(named) <= LISTED
                return gate, named if few else tuple(sorted({name.rpartition("/")[2] for name in named}))
        return "", ()


def make_port(plant: Callable[[PNASNet], object] = lambda _model: None, dtype: str = "float64") -> PNASNet:
    """The port as it is judged, and as `plant` changed it; weights are to be loaded."""
    config = replace(
        variant(NETWORK.variant).config,
        drop_path_keep_prob=KEEP_PROB,
        aux_image_size=(NETWORK.height, NETWORK.width),
    )
    model = empty_network(config, getattr(torch, dtype)).train()
    plant(model)
    return model
