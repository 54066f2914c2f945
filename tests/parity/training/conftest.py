"""Mobile at a small size, trained officially once, and the port as each test makes it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from parity.layers import Network
from parity.options import PHOTOGRAPHS
from parity.training import make_batches, with_aux_head
from parity.training.judge import RATE, Judged
from parity.training.port import make_model
from parity.values import Results
from pnasnet_torch import PNASNet, variant
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import Batch, TrainingGraph, TrainingReference, training_graph

NETWORK = Network("mobile", 97, 97)
Train = Callable[..., dict[str, Results]]


@dataclass(frozen=True)
class Trained:
    """The official network, its variables, the batch, and what it made of it."""

    network: Network
    graph: TrainingGraph
    variables: dict[str, np.ndarray]
    batches: list[Batch]
    values: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    updated: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def trained() -> Trained:
    source, photographs = official.find(), sorted(PHOTOGRAPHS.glob("*.jpg"))
    graph = training_graph(source, GraphSpec("mobile", 97, 97, "float64", training=True))
    prefix = synthetic_checkpoint(source, "mobile", variant("mobile").image_size, 0, photographs)
    variables, _ = with_aux_head(checkpoint.read(prefix), graph, 0)
    batches = make_batches(graph, load_images(source, photographs[:2], 97, 97), 0)
    with TrainingReference(graph, 1) as reference:
        reference.assign(variables)
        values, (losses, gradients) = reference.forward(batches[0]), reference.backward(batches[0])
        updated = reference.update(batches, RATE)
    return Trained(NETWORK, graph, variables, batches, values, losses, gradients, updated)


@pytest.fixture
def train(trained: Trained) -> Train:
    """The results of a port that `change` was done to."""

    def run(change: Callable[[PNASNet], object] = lambda _model: None) -> dict[str, Results]:
        def make(network: Network, training: bool = True) -> PNASNet:
            model = make_model(network, training)
            change(model)
            return model

        judged = Judged(NETWORK, trained.graph, trained.variables, make)
        judged.forward(trained.batches[0], dict(trained.values))
        judged.backward(trained.batches[0], trained.losses, dict(trained.gradients))
        return judged.results

    return run
