"""The official source, a small configuration of its network, and a cache folder to spoil."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tf_reference.cache import cached_file
from tf_reference.compat import tensorflow
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import Source, find
from tf_reference.run import OfficialRun

PHOTOGRAPHS = Path(__file__).parents[2] / "parity/photographs"
Layers = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def tf() -> Any:
    """TensorFlow, as the package imports it."""
    return tensorflow()


@pytest.fixture(scope="session")
def source() -> Source:
    """The pinned official source."""
    return find()


@pytest.fixture(scope="session")
def photographs() -> list[Path]:
    """Two photographs that resemble each other as little as photographs do."""
    return [PHOTOGRAPHS / "chelsea.jpg", PHOTOGRAPHS / "rocket.jpg"]


@pytest.fixture(scope="session")
def small() -> GraphSpec:
    """Large with fewer cells and filters, at 64 pixels."""
    hparams = (("num_cells", 3), ("num_conv_filters", 8), ("stem_multiplier", 0.25))
    return GraphSpec("large", 64, 64, "float64", num_classes=7, hparams=hparams)


@pytest.fixture(scope="session")
def graph(source: Source, small: GraphSpec) -> ReferenceGraph:
    """The small network's evaluation graph."""
    return reference_graph(source, small)


@pytest.fixture(scope="session")
def variables(graph: ReferenceGraph) -> Layers:
    """A random value for every variable of the small network, float64."""
    return random_values(graph)


def random_values(graph: ReferenceGraph) -> Layers:
    """Return a random value for every variable of `graph`, float64."""
    return {name: random_value(name, shape) for name, shape in graph.shapes.items()}


def random_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a random value for one variable, float64."""
    # Each has a stream of its own, so that values do not depend on the order of the variables.
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith(("gamma", "moving_variance")):
        return rng.uniform(0.6, 1.6, shape)
    if name.endswith(("beta", "moving_mean", "biases")):
        return rng.normal(0.1, 0.3, shape)
    inputs = shape[:2] if name.endswith("depthwise_weights") else shape[:-1]
    return rng.normal(0, np.sqrt(2 / np.prod(inputs)), shape)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Three images of noise for the small network, NHWC."""
    return np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3))


@pytest.fixture(scope="session")
def run(images: np.ndarray) -> Callable[[ReferenceGraph], Layers]:
    """What gives every layer of a graph, for images of the small network's size, with random variables."""

    def run(graph: ReferenceGraph) -> Layers:
        with OfficialRun(graph, threads=1) as official:
            official.assign(random_values(graph))
            return official.run(images)

    return run


@pytest.fixture(scope="session")
def expected(graph: ReferenceGraph, run: Callable[[ReferenceGraph], Layers]) -> Layers:
    """What every layer of the small network gives for `images`."""
    return run(graph)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own with nothing in it."""
    monkeypatch.setenv("PNASNET_PARITY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own_wheel(source: Source, empty_cache: Path) -> Path:
    """The official wheel in a cache folder of its own."""
    return Path(shutil.copy(source.root, cached_file("official", source.root.name)))
