"""Files of weights: each format keeps every bit, and what is no such file changes nothing."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pnasnet_torch import PNASNet, formats, load_weights, readers, save_weights
from pnasnet_torch.content import Kind
from pnasnet_torch.errors import WeightsError
from tests.pnasnet_torch.states import Malicious, assert_state, snapshot

SUFFIXES = [".h5", ".safetensors", ".pth"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_keeps_every_bit(
    small_model: PNASNet, other: PNASNet, tmp_path: Path, suffix: str, dtype: torch.dtype
) -> None:
    path = tmp_path / f"weights{suffix}"
    save_weights(small_model.to(dtype), path)
    load_weights(other.to(dtype), path)
    assert_state(other, snapshot(small_model))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_channels_last_weights_are_kept(small_model: PNASNet, other: PNASNet, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_weights(small_model.to(memory_format=torch.channels_last), path)  # type: ignore[call-overload]
    load_weights(other, path)
    assert_state(other, snapshot(small_model))


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999], ids=["empty", "half", "all-but-the-end"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_changes_nothing(
    small_model: PNASNet, other: PNASNet, tmp_path: Path, suffix: str, kept: float
) -> None:
    path = tmp_path / f"weights{suffix}"
    save_weights(small_model, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    before = snapshot(other)
    with pytest.raises(WeightsError, match=rf"weights{suffix} (is empty|is cut short or damaged|begins as a zip file)"):
        load_weights(other, path)
    assert_state(other, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_another_format_is_refused(other: PNASNet, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"a checkpoint of something else\n" * 100)
    with pytest.raises(WeightsError, match=rf"weights{suffix} is of no kind that is known"):
        load_weights(other, path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_another_network_changes_nothing(other: PNASNet, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_weights(nn.Linear(3, 4), path)
    before = snapshot(other)
    with pytest.raises(WeightsError, match=r"holds no weights of PNASNet-5: .* 2 tensors, such as"):
        load_weights(other, path)
    assert_state(other, before)


@pytest.mark.parametrize("name", ["weights.bin", "weights", "weights.H5"])
def test_an_unknown_suffix_is_not_written(other: PNASNet, tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"unknown format .*: expected one of \.h5, \.safetensors, \.pth"):
        save_weights(other, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_is_named(other: PNASNet, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(WeightsError, match=rf"there is no checkpoint .*absent{suffix}"):
        load_weights(other, tmp_path / f"absent{suffix}")


@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))], ids=["torch", "pickle"]
)
def test_code_in_a_file_is_not_run(other: PNASNet, tmp_path: Path, save: Callable[[Any, Path], Any]) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "marker"
    save({"weight": Malicious(marker)}, path)
    with pytest.raises(WeightsError, match=r"may run code"):
        load_weights(other, path)
    assert not marker.exists()


def test_such_code_would_be_run_by_a_careless_load(tmp_path: Path) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "marker"
    torch.save({"weight": Malicious(marker)}, path)
    torch.load(path, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    small_model: PNASNet, other: PNASNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    save_weights(small_model, path)
    monkeypatch.setitem(formats.FORMATS, suffix, write_a_half)
    with pytest.raises(WeightsError, match=rf"weights{suffix} cannot be written: no space left"):
        save_weights(other, path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    load_weights(other, path)
    assert_state(other, snapshot(small_model))


def write_a_half(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    path.write_bytes(b"half")
    raise OSError("no space left")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"epoch": 3}, id="a-number"),
        pytest.param({"state_dict": {"weight": torch.zeros(3)}}, id="a-training-checkpoint"),
        pytest.param({"weight": torch.zeros(3, dtype=torch.bfloat16)}, id="bfloat16"),
        pytest.param({"weight": nn.Parameter(torch.zeros(3))}, id="a-parameter"),
    ],
)
def test_a_pth_file_of_anything_else_is_refused(other: PNASNet, tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        load_weights(other, path)


def test_a_saved_file_has_the_usual_permissions(small_model: PNASNet, tmp_path: Path) -> None:
    save_weights(small_model, tmp_path / "weights.h5")
    (tmp_path / "usual").touch()
    assert (tmp_path / "weights.h5").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ImportError("numpy.dtype size changed"),
            r"as a package for HDF5 cannot be imported: numpy\.dtype size changed$",
        ),
        (OSError(5, "Input/output error"), r"a\.h5 cannot be read: Input/output error$"),
    ],
)
def test_what_is_wrong_beside_the_file_is_not_called_damage(
    small_model: PNASNet, error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: str, _file: object) -> None:
        raise error

    formats.write_file(tmp_path / "a.h5", {"conv0.weight": np.zeros(1, np.float32)})
    monkeypatch.setitem(readers.READERS, Kind.HDF5, fails)
    with pytest.raises(WeightsError, match=said):
        load_weights(small_model, tmp_path / "a.h5")
