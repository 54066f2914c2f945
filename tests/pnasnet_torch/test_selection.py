"""The network is found in what trainers write: scopes, wrappers, averages, slots; and nothing else is taken for it."""

import argparse
import gzip
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pnasnet_torch import variant
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import write_file
from pnasnet_torch.selection import Selection
from pnasnet_torch.source import Weights, load_weights, read_weights
from pnasnet_torch.targets import OURS, TF
from pnasnet_torch.weights import empty_network, outline, restore, store
from tests.pnasnet_torch.states import Malicious

Variables = dict[str, np.ndarray]
Tensors = dict[str, torch.Tensor]
Write = Callable[[Path, Mapping[str, np.ndarray]], None]
MOBILE = variant("mobile").config


def bias(weights: Weights) -> np.ndarray:
    return weights.state["conv0_bn.bias"]


@pytest.fixture
def trained(mobile: Variables) -> Variables:
    """What slim's training leaves: averages, two slots for each variable, and a step in a scope."""
    values = dict(mobile)
    for name, array in mobile.items():
        values[f"{name}/ExponentialMovingAverage"] = array * np.float32(2)
        values[f"{name}/RMSProp"] = values[f"{name}/RMSProp_1"] = np.zeros_like(array)
    values["cell_stem_0/comb_iter_0/left/global_step"] = np.array(7, np.float32)
    return values


def test_raw_weights_and_averages_are_a_choice(
    trained: Variables, mobile: Variables, write_v2: Write, tmp_path: Path
) -> None:
    write_v2(tmp_path / "m.ckpt", trained)
    raw = read_weights(tmp_path / "m.ckpt")
    average = read_weights(tmp_path / "m.ckpt", which="average")
    assert np.array_equal(bias(raw), mobile["conv0_bn/beta"])
    assert np.array_equal(bias(average), 2 * mobile["conv0_bn/beta"])
    assert np.array_equal(bias(read_weights(tmp_path / "m.ckpt", which="raw")), bias(raw))
    slots = "933 values of an optimiser (RMSProp), 933 values of an optimiser (RMSProp_1)"
    said = f"933 averages (--weights average takes them), {slots}, 1 counts and rates"
    assert raw.notes == (f"{tmp_path / 'm.ckpt'}: left aside are {said}",)
    assert "933 raw weights" in average.notes[1]


def test_averages_alone_are_taken(mobile: Variables, write_v2: Write, tmp_path: Path) -> None:
    write_v2(tmp_path / "m.ckpt", {f"{name}/ExponentialMovingAverage": array for name, array in mobile.items()})
    assert read_weights(tmp_path / "m.ckpt").notes == (f"{tmp_path / 'm.ckpt'}: the averages are taken",)
    with pytest.raises(WeightsError, match="holds no weights called 'raw', but average"):
        read_weights(tmp_path / "m.ckpt", which="raw")


def test_a_scope_around_all_is_taken_off(trained: Variables, write_v2: Write, tmp_path: Path) -> None:
    write_v2(tmp_path / "m.ckpt", {f"tower_0/net/{name}": array for name, array in trained.items()})
    weights = read_weights(tmp_path / "m.ckpt")
    assert "the names are taken without 'tower_0/net/' before each" in weights.notes[0]


def test_an_auxiliary_head_is_left_aside_where_a_model_has_none(
    mobile: Variables, write_v2: Write, tmp_path: Path
) -> None:
    headed = outline(replace(MOBILE, aux_image_size=(224, 224)))
    state = restore(outline(MOBILE), TF, mobile, "variables")
    for name, tensor in headed.state_dict().items():
        state.setdefault(name, np.ones(tuple(tensor.shape), np.float32))
    write_v2(tmp_path / "m.ckpt", store(headed, TF, state))
    assert read_weights(tmp_path / "m.ckpt").config.aux_image_size == (224, 224)
    model = empty_network(MOBILE)
    load_weights(model, tmp_path / "m.ckpt")
    assert np.array_equal(model.conv0_bn.bias.detach().numpy(), mobile["conv0_bn/beta"])


@pytest.fixture
def tensors(mobile: Variables) -> Tensors:
    """The port's parameters."""
    state = restore(outline(MOBILE), TF, mobile, "variables")
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


def prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


WRAPPED: dict[str, Callable[[Tensors], object]] = {
    "Lightning": lambda state: {"state_dict": prefixed("model.", state), "optimizer_states": [{"state": {}}]},
    "compiled": lambda state: prefixed("_orig_mod.", state),
    "parallel and compiled": lambda state: prefixed("module._orig_mod.", state),
    "averaged": lambda state: prefixed("module.", state) | {"n_averaged": torch.tensor(3)},
    "two keys": lambda state: {"state_dict": {"net": state}, "epoch": 3},
    "an average alone": lambda state: {"model_ema": state},
    "counts": lambda state: state | {"conv0_bn.num_batches_tracked": torch.tensor(5)},
    "with the optimiser": lambda state: {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrappings_of_trainers_are_taken_off(kind: str, tensors: Tensors, tmp_path: Path) -> None:
    torch.save(WRAPPED[kind](tensors), tmp_path / "best.pth.tar")
    assert np.array_equal(bias(read_weights(tmp_path / "best.pth.tar")), tensors["conv0_bn.bias"].numpy())


def test_of_several_states_the_raw_one_is_taken_or_the_chosen_one(tensors: Tensors, tmp_path: Path) -> None:
    doubled = {name: 2 * tensor for name, tensor in tensors.items()}
    torch.save({"model": tensors, "model_ema": doubled}, tmp_path / "m.pth")
    for which, factor in ((None, 1), ("raw", 1), ("average", 2), ("model_ema", 2), ("model", 1)):
        weights = read_weights(tmp_path / "m.pth", which=which)
        assert np.array_equal(bias(weights), factor * tensors["conv0_bn.bias"].numpy())
    with pytest.raises(WeightsError, match="holds no weights called 'other', but model, model_ema"):
        read_weights(tmp_path / "m.pth", which="other")


@pytest.mark.parametrize(
    ("key", "is_average"),
    [
        *((key, True) for key in ("model_ema", "ema", "ema_model", "state.swa", "averaged_model", "averages")),
        *((key, False) for key in ("schema", "semantic", "model", "swap")),
    ],
)
def test_averages_are_told_by_a_word_not_by_a_part_of_one(key: str, is_average: bool) -> None:
    """Else weights that nobody meant would be taken in silence."""
    assert Selection(key, OURS, "", "").is_average is is_average


def test_several_that_fit_alike_are_a_choice(tensors: Tensors, tmp_path: Path) -> None:
    torch.save({"student": tensors, "teacher": tensors}, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match=r"several weights that fit: student, teacher\. Choose one"):
        read_weights(tmp_path / "m.pth")
    assert read_weights(tmp_path / "m.pth", which="teacher").selection.key == "teacher"


@pytest.mark.parametrize("name", ["best.pt", "pytorch_model.bin", "model.ckpt", "model.h5", "model"])
def test_a_good_file_under_any_name(name: str, tensors: Tensors, tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / name)
    assert read_weights(tmp_path / name).stored.format == "PyTorch"
    assert read_weights(tmp_path).stored.path.name == name


def test_files_within_archives_and_compressed_ones(mobile: Variables, write_v2: Write, tmp_path: Path) -> None:
    # Mostly zeros, which are compressed in no time.
    zeros = {name: np.zeros_like(array) for name, array in mobile.items()}
    write_file(tmp_path / "m.h5", zeros | {"conv0_bn/beta": mobile["conv0_bn/beta"]})
    (tmp_path / "m.h5.gz").write_bytes(gzip.compress((tmp_path / "m.h5").read_bytes(), 1))
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "m.h5.gz")
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz", preset=0) as archive:
        archive.add(tmp_path / "m.h5", "deep/m")
    for name in ("m.h5.gz", "packed.zip", "all.tar.xz"):
        assert np.array_equal(bias(read_weights(tmp_path / name)), mobile["conv0_bn/beta"])


def test_a_state_file_leads_to_the_newest(mobile: Variables, write_v2: Write, tmp_path: Path) -> None:
    """As TensorFlow takes it: by name, in the folder where it lies now."""
    for step in (0, 100):
        write_v2(tmp_path / f"model.ckpt-{step}", mobile)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-100"\n')
    for path in (tmp_path, tmp_path / "checkpoint"):
        stored = read_weights(path).stored
        assert stored.checkpoint
        assert stored.checkpoint[1] == "model.ckpt-100"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "gone.ckpt"\n')
    with pytest.raises(WeightsError, match=r"only names checkpoints, and the newest, gone\.ckpt, is not beside it"):
        read_weights(tmp_path / "checkpoint")


def test_what_stands_for_its_content_is_the_checkpoint_not_the_state_file(
    mobile: Variables, write_v2: Write, tmp_path: Path
) -> None:
    write_v2(tmp_path / "m.ckpt", mobile)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m.ckpt"\n')
    index = tmp_path / "m.ckpt.index"
    for path in (tmp_path, tmp_path / "checkpoint", tmp_path / "m.ckpt", index):
        assert read_weights(path).stored.files() == [index]


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_pointer_in_the_place_of_a_checkpoint_s_file(
    part: str, mobile: Variables, write_v2: Write, tmp_path: Path
) -> None:
    write_v2(tmp_path / "m.ckpt", mobile)
    (tmp_path / f"m.ckpt.{part}").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WeightsError, match=rf"m\.ckpt\.{part} is a Git LFS pointer"):
        read_weights(tmp_path / "m.ckpt")


def test_the_variables_of_a_saved_model(mobile: Variables, write_v2: Write, tmp_path: Path) -> None:
    (tmp_path / "saved/variables").mkdir(parents=True)
    (tmp_path / "saved/saved_model.pb").write_bytes(b"\x08\x01\x12\x02")
    write_v2(tmp_path / "saved/variables/variables", mobile)
    assert np.array_equal(bias(read_weights(tmp_path / "saved")), mobile["conv0_bn/beta"])


def test_parts_of_a_pair(mobile: Variables, write_v2: Write, tmp_path: Path) -> None:
    write_v2(tmp_path / "m.ckpt", mobile)
    data = tmp_path / "m.ckpt.data-00000-of-00001"
    for part in (data, tmp_path / "m.ckpt.index"):
        assert "is one of several files" in read_weights(part).notes[0]
    data.rename(tmp_path / "away")
    with pytest.raises(
        WeightsError, match=r"m\.ckpt\.data-00000-of-00001: there is no such file.*all files that begin"
    ):
        read_weights(tmp_path / "m.ckpt.index")
    (tmp_path / "away").rename(data)
    (tmp_path / "m.ckpt.index").unlink()
    with pytest.raises(WeightsError, match=r"m\.ckpt\.index, which names them, is not beside it"):
        read_weights(data)


def test_a_malicious_pickle_is_named_and_never_run(tensors: Tensors, tmp_path: Path) -> None:
    torch.save({"state_dict": tensors, "x": Malicious(tmp_path / "executed")}, tmp_path / "evil.pth")
    with pytest.raises(
        WeightsError, match=r"evil\.pth holds posix\.mkdir beside its tensors, and is not loaded"
    ) as caught:
        read_weights(tmp_path / "evil.pth")
    assert "weights_only=False" not in str(caught.value)
    assert "add_safe_globals" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_harmless_classes_are_named_and_how_to_strip_them(
    tensors: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two lines that the message gives do it."""
    torch.save({"state_dict": tensors, "args": argparse.Namespace(lr=1)}, tmp_path / "last.pth")
    with pytest.raises(WeightsError, match=r"last\.pth holds argparse\.Namespace beside its tensors") as caught:
        read_weights(tmp_path / "last.pth")
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(line.strip() for line in str(caught.value).splitlines()[1:])
    try:
        exec(lines, {"torch": torch, "argparse": argparse})
    finally:
        torch.serialization.clear_safe_globals()
    assert np.array_equal(bias(read_weights(tmp_path / "weights.pth")), tensors["conv0_bn.bias"].numpy())


@pytest.mark.parametrize("reason", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_the_system_s_reason_is_passed_on(
    reason: OSError, tensors: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(tensors, tmp_path / "m.pth")

    def refuse(*_: object) -> None:
        raise reason

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(WeightsError, match=rf"m\.pth cannot be read: {reason.strerror}"):
        read_weights(tmp_path / "m.pth")


def test_a_type_that_arrays_have_not_is_named(tensors: Tensors, tmp_path: Path) -> None:
    tensors["conv0_bn.bias"] = tensors["conv0_bn.bias"].bfloat16()
    torch.save(tensors, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match=r"m\.pth: conv0_bn\.bias is bfloat16: expected float16, float32"):
        read_weights(tmp_path / "m.pth")
