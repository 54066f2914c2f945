"""Weights are found wherever they lie, under whatever names, and told what they are."""

import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pnasnet_torch import Config, PNASNet, variant
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import write_file
from pnasnet_torch.hub import FILE, Card, default_size, make_card, sha256
from pnasnet_torch.identify import identify
from pnasnet_torch.selection import all_names, select
from pnasnet_torch.source import load_weights, read_weights
from pnasnet_torch.state import State
from pnasnet_torch.targets import OURS, TF, stored_shapes
from pnasnet_torch.weights import outline, restore, state_of, store

Variables = dict[str, np.ndarray]
Write = Callable[[Path, Mapping[str, np.ndarray]], None]
MOBILE, LARGE = variant("mobile").config, variant("large").config


@pytest.fixture
def prefix(mobile: Variables, write_v2: Write, tmp_path: Path) -> Path:
    """A checkpoint, alone in its folder."""
    (tmp_path / "folder").mkdir()
    write_v2(tmp_path / "folder/model.ckpt", mobile)
    return tmp_path / "folder/model.ckpt"


def packed(prefix: Path, *more: Path) -> Path:
    path = prefix.parent.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(prefix.parent, "pnasnet")
        for other in more:
            archive.add(other, f"pnasnet/{other.name}")
    return path


def assert_are(found: Mapping[str, np.ndarray], variables: Variables) -> None:
    back = store(outline(MOBILE), TF, found)
    assert {name: array.tobytes() for name, array in back.items()} == {
        name: array.tobytes() for name, array in variables.items()
    }


@pytest.mark.parametrize("lies", ["checkpoint", "folder", "archive"])
def test_a_checkpoint_wherever_it_lies(prefix: Path, mobile: Variables, lies: str) -> None:
    path = {"checkpoint": prefix, "folder": prefix.parent, "archive": packed(prefix)}[lies]
    weights = read_weights(path)
    assert (weights.variant, weights.config, weights.selection.names) == ("mobile", MOBILE, TF)
    assert weights.image_size == (224, 224)
    assert_are(weights.state, mobile)


@pytest.mark.parametrize("suffix", [".h5", ".safetensors", ".pth"])
@pytest.mark.parametrize("names", [OURS, TF])
def test_a_file_in_its_folder(mobile: Variables, suffix: str, names: str, tmp_path: Path) -> None:
    state = restore(outline(MOBILE), TF, mobile, "variables")
    write_file(tmp_path / f"weights{suffix}", store(outline(MOBILE), names, state))
    weights = read_weights(tmp_path)
    formats = {".h5": "HDF5", ".safetensors": "safetensors", ".pth": "PyTorch"}
    assert (weights.selection.names, weights.stored.format) == (names, formats[suffix])
    assert_are(weights.state, mobile)


def test_several_in_a_folder_or_an_archive_are_listed(prefix: Path, mobile: Variables, write_v2: Write) -> None:
    write_v2(prefix.with_name("other.ckpt"), {"a": np.zeros(1, np.float32)})
    with pytest.raises(WeightsError, match=r"holds several: model\.ckpt, other\.ckpt\. Give the path of one"):
        read_weights(prefix.parent)
    with pytest.raises(WeightsError, match=r"holds several: pnasnet/model\.ckpt, pnasnet/other\.ckpt\. Unpack it"):
        read_weights(packed(prefix))


def test_a_folder_and_an_archive_without_weights(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"the folder .*empty should hold weights, and holds none"):
        read_weights(tmp_path / "empty")
    with pytest.raises(WeightsError, match=r"should hold weights, and holds none"):
        read_weights(packed(tmp_path / "empty/none"))
    with pytest.raises(WeightsError, match=r"there is no checkpoint .*absent\.tar\.gz"):
        read_weights(tmp_path / "absent.tar.gz")
    with pytest.raises(WeightsError, match=r"there is no checkpoint .*nowhere/model"):
        read_weights(tmp_path / "nowhere/model")


@pytest.mark.parametrize("names", all_names())
@pytest.mark.parametrize("config", [MOBILE, LARGE], ids=["mobile", "large"])
def test_names_and_what_they_are_of_are_found(names: str, config: Config) -> None:
    """Of two schemes that call weights alike, the more usual one is found."""
    config = replace(config, num_classes=77)
    shapes = stored_shapes(outline(config), names)
    arrays = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    found = select("a.h5", {"": State(arrays)}, [outline(LARGE), outline(MOBILE)]).names
    assert found == {"pretrainedmodels": "timm"}.get(names, names)
    if config.num_cells == 12 or names in (OURS, TF):
        assert identify(arrays, names) == ("large" if config.num_cells == 12 else "mobile", config)
    else:
        with pytest.raises(WeightsError, match="not the weights of PNASNet-5 large"):
            identify(arrays, names)


@pytest.mark.parametrize("names", [OURS, TF])
@pytest.mark.parametrize("size", [(331, 331), (290, 331), (224, 224)], ids=str)
def test_the_auxiliary_head_tells_the_image_size_that_it_fits(names: str, size: tuple[int, int]) -> None:
    """As far as it does: several sizes have the same map, and the variant's own is taken first."""
    model = outline(replace(LARGE, aux_image_size=size))
    shapes = stored_shapes(model, names)
    _, config = identify({name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}, names)
    assert config.aux_image_size
    assert model.aux_map(config.aux_image_size) == model.aux_map(size)
    assert config.aux_image_size == size or size != (331, 331)


def test_what_is_of_no_variant_is_told(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3, 2), "fc.bias": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(
        WeightsError, match=r"no conv0\.weight or conv0/weights or .* 2 tensors, such as fc\.weight, fc\.bias"
    ):
        read_weights(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("cell_0/1x1/weights", None, r"missing: cell_0/1x1/weights \(1, 1, 135, 54\)"),
        ("conv0_bn/beta", np.full(32, np.nan, np.float32), r"not finite: conv0_bn/beta: nan at \(0,\)"),
        ("conv0_bn/beta", np.zeros(32, np.int32), r"wrong type: conv0_bn/beta: expected floating point, found int32"),
    ],
)
def test_each_tensor_is_used_once(
    mobile: Variables, tmp_path: Path, name: str, change: np.ndarray | None, said: str
) -> None:
    arrays = {key: array for key, array in (mobile | {name: change}).items() if array is not None}
    write_file(tmp_path / "a.h5", arrays)
    with pytest.raises(WeightsError, match=rf"(?s)weights in .*a\.h5, under the names tf, do not fit.*{said}"):
        read_weights(tmp_path / "a.h5")


def test_what_is_no_part_of_the_network_is_refused(mobile: Variables, tmp_path: Path) -> None:
    write_file(tmp_path / "a.h5", mobile | {f"cell_0/1x1/biases{k}": np.zeros(54, np.float32) for k in range(12)})
    with pytest.raises(WeightsError, match=r"do not fit the network \(12 problems\)") as caught:
        read_weights(tmp_path / "a.h5")
    assert str(caught.value).count("left over: cell_0/1x1/biases") == 10
    assert str(caught.value).endswith("left over: 2 more")


def test_given_names_are_not_guessed(mobile: Variables, tmp_path: Path) -> None:
    write_file(tmp_path / "a.h5", mobile)
    with pytest.raises(WeightsError, match=r"no conv0\.weight among its 933 tensors"):
        read_weights(tmp_path / "a.h5", OURS)


def card_for(path: Path, size: tuple[int, int]) -> None:
    content = make_card(Card(path.name, sha256(path), size), "mobile", MOBILE, TF, {})
    path.with_name(FILE).write_text(json.dumps(content))


def test_config_json_tells_the_file_and_the_image_size(mobile: Variables, tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        write_file(tmp_path / name, mobile)
    card_for(tmp_path / "b.safetensors", (128, 160))
    assert read_weights(tmp_path).stored.path == tmp_path / "b.safetensors"
    assert read_weights(tmp_path / "b.safetensors").image_size == (128, 160)
    assert read_weights(tmp_path / "a.safetensors").image_size == default_size("mobile")


def test_config_json_names_the_classes_or_none(mobile: Variables, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_file(path, mobile)
    assert read_weights(path).label_names == ()
    for count in (1001, 3):
        labels = tuple(f"label {number}" for number in range(count))
        card = Card(path.name, sha256(path), (224, 224), labels)
        path.with_name(FILE).write_text(json.dumps(make_card(card, "mobile", MOBILE, TF, {})))
        if count == 1001:
            assert read_weights(path).label_names == labels
    with pytest.raises(WeightsError, match=r"config\.json has 3 label_names, and the network 1,001 classes"):
        read_weights(path)


def test_weights_that_config_json_was_not_written_for(mobile: Variables, tmp_path: Path) -> None:
    write_file(tmp_path / "a.safetensors", mobile)
    card_for(tmp_path / "a.safetensors", (224, 224))
    write_file(tmp_path / "a.safetensors", mobile | {"conv0_bn/beta": np.zeros(32, np.float32)})
    with pytest.raises(WeightsError, match=r"a\.safetensors is not what config\.json beside it was written for"):
        read_weights(tmp_path)


def test_weights_that_config_json_names_and_that_are_not_there(tmp_path: Path) -> None:
    write_file(tmp_path / "a.safetensors", {})
    card_for(tmp_path / "a.safetensors", (224, 224))
    (tmp_path / "a.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"there is no checkpoint .*a\.safetensors"):
        read_weights(tmp_path)


@pytest.mark.parametrize("names", [OURS, TF])
def test_a_model_of_any_configuration_is_filled(
    small: Config, small_model: PNASNet, names: str, tmp_path: Path
) -> None:
    write_file(tmp_path / "a.h5", store(small_model, names, state_of(small_model)))
    other = PNASNet(small)
    load_weights(other, tmp_path / "a.h5")
    expected = small_model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in other.state_dict().items())
