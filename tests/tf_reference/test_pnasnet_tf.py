"""A pnasnet-tf checkout: modules of its own at the top, its own preprocessing, Large alone, and no configuration."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests import checkouts
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.kinds import PNASNET_TF
from tf_reference.official import Source, find
from tf_reference.preprocess import load_images
from tf_reference.run import OfficialRun

from .conftest import random_values

Layers = dict[str, np.ndarray]
MODULES = pytest.mark.parametrize("name", PNASNET_TF.packages)
SMALLEST = GraphSpec("large", 64, 64)


@pytest.fixture
def checkout(source: Source, empty_cache: Path, tmp_path: Path) -> Callable[..., Path]:
    """What makes a checkout of the pinned source's text, something replaced in it."""
    return partial(checkouts.flat, source.root, tmp_path / "PNASNet.TF")


@pytest.fixture
def fresh(checkout: Callable[..., Path]) -> Source:
    """A checkout from which nothing was loaded yet."""
    return find(f"pnasnet-tf:{checkout()}")


@pytest.fixture(scope="module")
def real() -> Source:
    """A checkout of the real repository, where there is one."""
    return find(f"pnasnet-tf:{checkouts.pnasnet_tf()}")


@MODULES
def test_its_modules_are_its_own(name: str, fresh: Source) -> None:
    assert fresh.load(name).__file__ == str(fresh.root / f"{name}.py")
    assert fresh.load("pnasnet").nasnet_utils.__file__ == str(fresh.root / "cell.py")


@MODULES
def test_nothing_stays_importable(name: str, fresh: Source) -> None:
    before = list(sys.path)
    fresh.load("pnasnet")
    assert (name in sys.modules, importlib.util.find_spec(name), sys.path) == (False, None, before)


@MODULES
def test_a_module_of_the_users_survives(name: str, fresh: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not taken for the checkout's."""
    mine = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, mine)
    assert fresh.load("pnasnet").PNasNetNormalCell.__mro__[1].__name__ == "NasNetABaseCell"
    assert sys.modules[name] is mine


def test_both_kinds_are_loaded_beside_each_other(fresh: Source, source: Source) -> None:
    assert fresh.load("pnasnet") is not source.load("nets.nasnet.pnasnet")
    assert fresh.load("pnasnet") is fresh.load("pnasnet")


@pytest.mark.parametrize("missing", [("cell.py",), ("cell.py", "utils.py")])
def test_a_folder_that_is_none_lists_what_it_lacks(missing: tuple[str, ...], checkout: Callable[..., Path]) -> None:
    """And says what to give."""
    root = checkout()
    for name in missing:
        (root / name).unlink()
    with pytest.raises(InputError) as caught:
        find(f"pnasnet-tf:{root}")
    lacks = f"it lacks {', '.join(missing)}. Give a checkout of chenxi116/PNASNet.TF"
    assert str(caught.value) == f"{root} is not a pnasnet-tf checkout: {lacks}"


@pytest.mark.parametrize("name", PNASNET_TF.needed)
def test_the_fingerprint_is_that_of_its_files(name: str, fresh: Source) -> None:
    (fresh.root / "main.py").write_text("VALUE = 1\n")
    assert find(f"pnasnet-tf:{fresh.root}") == fresh
    (fresh.root / name).write_text((fresh.root / name).read_text() + "# changed\n")
    assert find(f"pnasnet-tf:{fresh.root}").fingerprint != fresh.fingerprint


def test_it_takes_no_hyper_parameters(fresh: Source, small: GraphSpec) -> None:
    with pytest.raises(InputError, match="a pnasnet-tf checkout takes no hyper-parameters") as caught:
        reference_graph(fresh, small)
    assert str(fresh.root) in str(caught.value)


def test_its_own_preprocessing_is_used(checkout: Callable[..., Path], source: Source, photographs: list[Path]) -> None:
    """Which gives the same pixels, unless something is replaced in it."""
    expected = load_images(source, photographs, 64, 64)
    assert load_images(find(f"pnasnet-tf:{checkout()}"), photographs, 64, 64).tobytes() == expected.tobytes()
    altered = find(f"pnasnet-tf:{checkout([('central_fraction=0.875', 'central_fraction=0.8')])}")
    assert not np.allclose(load_images(altered, photographs, 64, 64), expected, atol=0.1)


def test_the_real_one_prepares_images_as_slim_does(real: Source, source: Source, photographs: list[Path]) -> None:
    expected = load_images(source, photographs, 331, 331)
    assert load_images(real, photographs, 331, 331).tobytes() == expected.tobytes()


def test_the_real_one_has_no_mobile(real: Source) -> None:
    with pytest.raises(InputError, match="this source has no PNASNet-5 mobile"):
        reference_graph(real, replace(SMALLEST, variant="mobile"))


@pytest.fixture(scope="module")
def graphs(real: Source, source: Source) -> tuple[ReferenceGraph, ReferenceGraph]:
    """The real checkout's evaluation graph, and the pinned source's."""
    return reference_graph(real, SMALLEST), reference_graph(source, SMALLEST)


@pytest.mark.slow
def test_the_real_one_has_the_official_layers(graphs: tuple[ReferenceGraph, ReferenceGraph]) -> None:
    """In the same order, of the same kinds, fed by the same layers, with the same variables."""
    real, official = graphs
    real_layers = [replace(layer, tensor="") for layer in real.layers.values()]
    official_layers = [replace(layer, tensor="") for layer in official.layers.values()]
    assert real_layers == official_layers
    assert real.shapes == official.shapes


@pytest.mark.slow
def test_the_real_one_gives_the_official_values(
    graphs: tuple[ReferenceGraph, ReferenceGraph], images: np.ndarray
) -> None:
    """Every layer, bit for bit."""
    values = []
    for graph in graphs:
        with OfficialRun(graph, threads=1) as run:
            run.assign(random_values(graphs[1]))
            values.append(run.run(images[:1]))
    real, official = values
    assert [name for name in official if real[name].tobytes() != official[name].tobytes()] == []
