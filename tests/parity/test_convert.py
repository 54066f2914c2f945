"""A checkpoint becomes a file for PyTorch with the same bits, or there is no file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from parity.convert import main
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import load_weights, tf_variables
from tf_reference import checkpoint

Variables = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def variables(synthetic: Path) -> Variables:
    """What the synthetic Mobile checkpoint holds."""
    return checkpoint.read(synthetic)


def bits(variables: Variables) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in variables.items()}


@pytest.mark.parametrize("suffix", [".h5", ".safetensors", ".pth"])
def test_a_file_loads_back_bit_for_bit(
    synthetic: Path, variables: Variables, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All variables, their dtypes and layouts; the last line names the file and the network."""
    target = tmp_path / f"mobile{suffix}"
    assert main([str(synthetic), str(target)]) == 0
    with torch.device("meta"):
        model = PNASNet(variant("mobile").config)
    model.to_empty(device="cpu")
    load_weights(model, target)
    assert bits(tf_variables(model)) == bits(variables)
    assert capsys.readouterr().out == f"{target}: PNASNet-5 mobile, from {synthetic}\n"
    assert list(tmp_path.iterdir()) == [target]


def fails(prefix: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said where the exit code is 1 and no file is left."""
    folder = target.parent
    before = sorted(folder.iterdir()) if folder.is_dir() else None
    assert main([str(prefix), str(target)]) == 1
    assert (sorted(folder.iterdir()) if folder.is_dir() else None) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pnasnet-convert: ")
    return captured.err


@pytest.mark.parametrize("name", ["mobile.onnx", "mobile", "mobile.H5", "mobile.pth.gz"])
def test_an_unknown_format(synthetic: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The formats that there are, are listed."""
    said = fails(synthetic, tmp_path / name, capsys)
    assert name in said
    assert ".h5, .safetensors, .pth" in said


def test_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fails(tmp_path / "none.ckpt", tmp_path / "mobile.h5", capsys)
    assert f"there is no checkpoint at {tmp_path / 'none.ckpt'}" in said


def test_no_folder(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "none" in fails(synthetic, tmp_path / "none/mobile.h5", capsys)


def test_a_checkpoint_of_another_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Judged by its first convolution, of which both the expected variable and its shape are told."""
    prefix = tmp_path / "foreign.ckpt"
    checkpoint.write(prefix, {"conv0/weights": np.ones((3, 3, 3, 64), np.float32)})
    said = fails(prefix, tmp_path / "foreign.h5", capsys)
    assert "not the weights of PNASNet-5 large or mobile: conv0/weights is (3, 3, 3, 64)" in said


def test_a_checkpoint_that_does_not_fit(
    variables: Variables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is missing, left over or not finite is told at once."""
    broken = {name: array for name, array in variables.items() if name != "cell_5/1x1/weights"}
    broken["cell_5/1x1/biases"] = np.ones(3, np.float32)
    broken["conv0_bn/beta"] = np.full_like(variables["conv0_bn/beta"], np.nan)
    checkpoint.write(tmp_path / "broken.ckpt", broken)
    said = fails(tmp_path / "broken.ckpt", tmp_path / "broken.pth", capsys)
    for part in (
        "3 problems",
        "missing: cell_5/1x1/weights",
        "left over: cell_5/1x1/biases",
        "not finite: conv0_bn/beta",
    ):
        assert part in said


def test_a_file_that_is_there_outlives_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mobile.h5"
    target.write_text("precious")
    fails(tmp_path / "none.ckpt", target, capsys)
    assert target.read_text() == "precious"


def test_both_paths_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's own usage error, with its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(["only.ckpt"])
    assert caught.value.code == 2
    assert "usage: pnasnet-convert" in capsys.readouterr().err
