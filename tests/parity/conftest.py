"""A tiny port, hand-made official graphs, and the synthetic Mobile checkpoint."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings

from parity.core.specification import PHOTOGRAPHS
from pnasnet_torch import Config, PNASNet
from pnasnet_torch.weights import load_tf_variables
from tests.conftest import Once
from tests.parity.starting import start
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


@pytest.fixture
def other_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant another epsilon in the port's first batch norm, whenever it gets its weights."""

    def load(model: PNASNet, variables: Mapping[str, np.ndarray]) -> None:
        load_tf_variables(model, variables)
        model.get_submodule("conv0_bn").eps = 1e-5  # type: ignore[assignment]

    monkeypatch.setattr("parity.candidate.model.load_tf_variables", load)


class TrainingTrace(NamedTuple):
    """A trace of training, Mobile at 97 pixels, with the exit code of the run that recorded it, and what that said."""

    code: int
    said: str
    path: Path


@pytest.fixture(scope="session")
def training_trace(once: Once) -> TrainingTrace:
    chosen = ("--training", "--variant=mobile", "--image-size=97", "--threads=1", "-q")

    def record(folder: Path) -> None:
        code, said = start(folder, *chosen, f"--record={folder / 'training.h5'}")
        (folder / "run.json").write_text(json.dumps([code, said]))

    folder = once("training-trace", record)
    code, said = json.loads((folder / "run.json").read_text())
    return TrainingTrace(code, said, folder / "training.h5")
