"""A tiny port, hand-made official graphs, and the synthetic Mobile checkpoint."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from parity.options import PHOTOGRAPHS
from pnasnet_torch import Config, PNASNet
from tf_reference import official
from tf_reference.graph import GraphSpec, ReferenceGraph
from tf_reference.layers import Layer
from tf_reference.synthetic import synthetic_checkpoint

# A first call into a framework takes longer than hypothesis allows one example.
settings.register_profile("parity", deadline=None, derandomize=True)
settings.load_profile("parity")


@pytest.fixture
def tiny() -> PNASNet:
    """Five cells of few channels with random weights; images from 19 pixels on."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PNASNet(Config(num_cells=3, num_conv_filters=8, num_classes=7)).eval()


@pytest.fixture
def images_nhwc() -> np.ndarray:
    """Two images of noise for the tiny network, wider than high."""
    return np.random.default_rng(0).uniform(-1, 1, (2, 24, 32, 3)).astype(np.float32)


@pytest.fixture
def official_graph() -> Callable[[Iterable[str]], ReferenceGraph]:
    """An official graph that has these layers, and nothing else to it."""

    def build(layers: Iterable[str]) -> ReferenceGraph:
        rows = {name: Layer(name, "Relu", f"{name}:0", (None, 1), "float32", ()) for name in layers}
        return ReferenceGraph(GraphSpec("mobile", 24, 32), None, rows, {})

    return build


@pytest.fixture(scope="session")
def synthetic() -> Path:
    """The prefix of the synthetic Mobile checkpoint that a plain run uses."""
    return synthetic_checkpoint(official.find(), "mobile", 224, 0, sorted(PHOTOGRAPHS.glob("*.jpg")))
