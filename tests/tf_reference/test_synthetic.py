"""The synthetic checkpoint keeps values at a natural scale at every depth, and is made once."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tf_reference import checkpoint, synthetic
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.official import Source
from tf_reference.preprocess import load_images
from tf_reference.run import OfficialRun
from tf_reference.synthetic import _initial, synthetic_checkpoint

Layers = dict[str, np.ndarray]
SIZE = 224
SPEC = GraphSpec("mobile", SIZE, SIZE)
SHAPES = [
    pytest.param("conv0/weights", (3, 3, 3, 32), id="convolution"),
    pytest.param("cell_0/left/separable_5x5_1/depthwise_weights", (5, 5, 54, 1), id="depthwise"),
    pytest.param("cell_0/left/separable_5x5_1/pointwise_weights", (1, 1, 54, 54), id="pointwise"),
    pytest.param("final_layer/FC/weights", (1080, 1001), id="dense"),
    pytest.param("final_layer/FC/biases", (1001,), id="biases"),
    pytest.param("conv0_bn/gamma", (32,), id="gamma"),
    pytest.param("conv0_bn/beta", (32,), id="beta"),
]


@pytest.fixture(scope="module")
def variables(source: Source, photographs: list[Path]) -> Layers:
    """The variables of the checkpoint for Mobile that parity uses too, so it is made once for both."""
    calibration = sorted(photographs[0].parent.glob("*.jpg"))
    return checkpoint.read(synthetic_checkpoint(source, "mobile", SIZE, 0, calibration))


@pytest.fixture(scope="module")
def layers(source: Source, photographs: list[Path], variables: Layers) -> Iterator[Layers]:
    """Every layer of Mobile for both photographs."""
    with OfficialRun(reference_graph(source, SPEC)) as official:
        official.assign(variables)
        yield official.run(load_images(source, photographs, SIZE, SIZE))


@pytest.mark.slow
def test_it_fits_the_network(source: Source, variables: Layers) -> None:
    checkpoint.check("synthetic", variables, reference_graph(source, SPEC).shapes)
    assert {array.dtype for array in variables.values()} == {np.dtype("float32")}


@pytest.mark.slow
def test_every_batch_norm_gives_values_of_a_natural_scale(source: Source, layers: Layers) -> None:
    kinds = {name: layer.kind for name, layer in reference_graph(source, SPEC).layers.items()}
    deviations = {name: float(layers[name].std()) for name, kind in kinds.items() if kind == "FusedBatchNormV3"}
    assert len(deviations) > 150
    assert {name: deviation for name, deviation in deviations.items() if not 0.2 < deviation < 5} == {}


@pytest.mark.slow
def test_no_channel_of_a_batch_norm_is_dead(source: Source, layers: Layers) -> None:
    """In a channel that is constant, a fault would not be seen."""
    kinds = {name: layer.kind for name, layer in reference_graph(source, SPEC).layers.items()}
    smallest = {name: layers[name].std((0, 1, 2)).min() for name, kind in kinds.items() if kind == "FusedBatchNormV3"}
    assert {name: deviation for name, deviation in smallest.items() if deviation < 0.05} == {}


@pytest.mark.slow
def test_two_photographs_have_clearly_different_logits(layers: Layers) -> None:
    first, second = layers["final_layer.FC"]
    assert np.linalg.norm(first - second) > 0.1 * np.linalg.norm(first)
    assert np.corrcoef(first, second)[0, 1] < 0.99


@pytest.mark.slow
@pytest.mark.parametrize("last", ["gamma", "beta", "moving_mean", "moving_variance"])
def test_no_variable_of_a_batch_norm_is_constant(last: str, variables: Layers) -> None:
    chosen = {name: array for name, array in variables.items() if name.endswith(f"/{last}")}
    assert len(chosen) > 150
    assert [name for name, array in chosen.items() if len(np.unique(array)) < len(array) / 2] == []


@pytest.mark.slow
def test_the_auxiliary_head_is_left_out(variables: Layers) -> None:
    assert not [name for name in variables if name.startswith("aux_")]


@pytest.mark.slow
def test_weights_are_the_seed_s(variables: Layers) -> None:
    """The calibration changes the moving statistics and the last biases alone."""
    for name, array in variables.items():
        if not name.endswith(("moving_mean", "moving_variance", "FC/biases")):
            assert array.tobytes() == _initial(name, array.shape, 0).tobytes()


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_initial_values_are_reproducible_and_differ_by_seed_and_name(name: str, shape: tuple[int, ...]) -> None:
    values = _initial(name, shape, 0)
    assert values.shape == shape
    assert values.dtype == np.float32
    assert values.tobytes() == _initial(name, shape, 0).tobytes()
    assert not (values == _initial(name, shape, 1)).any()
    assert not (values == _initial(f"cell_1/{name}", shape, 0)).any()


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> list[int]:
    """The seeds for which variables were made, instead of being made."""
    made: list[int] = []

    def make(source: Source, variant: str, image_size: int, seed: int, photographs: list[Path]) -> Layers:
        made.append(seed)
        return {"conv0/weights": np.full(3, seed, np.float32)}

    monkeypatch.setattr(synthetic, "synthetic_variables", make)
    return made


def test_the_second_call_reuses_the_checkpoint(seeds: list[int], source: Source, photographs: list[Path]) -> None:
    prefixes = {synthetic_checkpoint(source, "mobile", SIZE, seed, photographs) for seed in (5, 5, 6, 5)}
    assert seeds == [5, 6]
    assert sorted(checkpoint.read(prefix)["conv0/weights"][0] for prefix in prefixes) == [5, 6]


def test_a_checkpoint_that_was_left_half_written_is_made_anew(
    seeds: list[int], source: Source, photographs: list[Path]
) -> None:
    """The index comes last: what lacks it is not whole."""
    prefix = synthetic_checkpoint(source, "mobile", SIZE, 5, photographs)
    prefix.with_name(f"{prefix.name}.index").unlink()
    assert synthetic_checkpoint(source, "mobile", SIZE, 5, photographs) == prefix
    assert seeds == [5, 5]


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "large"},
        {"image_size": 225},
        {"seed": 1},
        {"photographs": slice(1)},
        {"photographs": slice(None, None, -1)},
    ],
    ids=["variant", "size", "seed", "fewer-photographs", "other-order"],
)
def test_whatever_shapes_it_makes_another_checkpoint(
    change: dict[str, Any], seeds: list[int], source: Source, photographs: list[Path]
) -> None:
    call: dict[str, Any] = {"variant": "mobile", "image_size": SIZE, "seed": 0, "photographs": slice(None)}
    prefixes = []
    for arguments in (call, call | change):
        chosen = photographs[arguments["photographs"]]
        prefixes.append(synthetic_checkpoint(source, **arguments | {"photographs": chosen}))
    assert len(seeds) == len(set(prefixes)) == 2


def test_another_source_makes_another_checkpoint(seeds: list[int], source: Source, photographs: list[Path]) -> None:
    for official_source in (source, replace(source, fingerprint="another")):
        synthetic_checkpoint(official_source, "mobile", SIZE, 0, photographs)
    assert len(seeds) == 2


def test_where_the_photographs_lie_does_not_matter(
    seeds: list[int], source: Source, photographs: list[Path], tmp_path: Path
) -> None:
    moved = [Path(shutil.copy(path, tmp_path / f"{number}.jpg")) for number, path in enumerate(photographs)]
    first = synthetic_checkpoint(source, "mobile", SIZE, 0, photographs)
    assert synthetic_checkpoint(source, "mobile", SIZE, 0, moved) == first
    assert len(seeds) == 1
