"""The command: any source to any target with the same bits, or an error and nothing in place."""

import errno
import json
import os
import sys
import tarfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.convert import conversion
from parity.convert.__main__ import main
from parity.core.command import USAGE_ERROR
from pnasnet_torch import formats, from_pretrained, variant
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.hub import FILE, OWN, sha256
from pnasnet_torch.naming import schemes
from pnasnet_torch.source import Weights, read_weights
from pnasnet_torch.targets import OURS, TF
from pnasnet_torch.weights import outline, store
from tests import waiting
from tests.limits import file_size_limit
from tf_reference import checkpoint

Run = Callable[..., tuple[int, str, str]]
FileOf = Callable[[str], Path]
State = dict[str, np.ndarray]
Bits = Callable[[Mapping[str, np.ndarray]], object]
LARGE = variant("large").config
FAST = "timm"
TARGETS = {
    "h5": ("a.h5",),
    "h5-tf": ("a.h5", "--names", TF),
    "safetensors": ("a.safetensors",),
    "safetensors-tf": ("a.safetensors", "--names", TF),
    "pth": ("a.pth",),
    "pth-tf": ("a.pth", "--names", TF),
    "v2": ("a.ckpt",),
    "v1": ("a.ckpt", "--checkpoint-version", "1"),
}


# An order of the kinds in which the format changes at each step.
CIRCLE = ("h5", "v1", "safetensors-tf", "pth", "v2", "h5-tf", "safetensors", "pth-tf")


@pytest.fixture(scope="module")
def file_of(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> FileOf:
    """A function that gives a file of a kind, made from that of the kind before it; the first, from a checkpoint."""

    @cache
    def make(kind: str) -> Path:
        place = CIRCLE.index(kind)
        source = make(CIRCLE[place - 1]) if place else synthetic
        name, *options = TARGETS[kind]
        path = tmp_path_factory.mktemp(kind) / name
        assert main([str(source), str(path), *options]) == 0
        return path

    return make


@pytest.mark.parametrize("kind", CIRCLE)
def test_from_one_kind_of_file_to_the_next(kind: str, file_of: FileOf, weights: Weights, bits: Bits) -> None:
    path = file_of(kind)
    assert bits(read_weights(path).state) == bits(weights.state)
    assert not list(path.parent.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", TARGETS)
def test_from_every_kind_of_file_to_every_other(
    kind: str, target: str, file_of: FileOf, weights: Weights, bits: Bits, run: Run, tmp_path: Path
) -> None:
    name, *options = TARGETS[target]
    assert run(file_of(kind), tmp_path / name, *options)[0] == 0
    assert bits(read_weights(tmp_path / name).state) == bits(weights.state)
    assert not list(tmp_path.glob(".*"))


def strange_state() -> State:
    """Return Large's parameters with random bits, whatever finite numbers they are."""
    rng = np.random.default_rng(0)
    state = {}
    for name, tensor in outline(LARGE).state_dict().items():
        bits = rng.integers(0, 2**32, tuple(tensor.shape), np.uint32)
        # Infinite or no number where all bits of the exponent are 1: these become -0.0.
        bits[bits & 0x7F800000 == 0x7F800000] = 0x80000000
        state[name] = bits.view(np.float32)
    return state


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    """A file of Large's parameters, which are random bits, and what is in it."""
    path = tmp_path_factory.mktemp("large") / "source.h5"
    state = strange_state()
    formats.write_file(path, store(outline(LARGE), OURS, state))
    return path, state


# By names alone every scheme is tested in tests/pnasnet_torch/test_naming.py.
@pytest.mark.parametrize(
    "names", [FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in schemes() if name != FAST)]
)
def test_there_and_back_by_every_scheme(
    names: str, large: tuple[Path, State], bits: Bits, run: Run, tmp_path: Path
) -> None:
    """Random bits: among them are negative zeros, and numbers below the normal ones."""
    source, state = large
    (tmp_path / "hub").mkdir()
    there = tmp_path / "hub/model.safetensors"
    back = tmp_path / "back.pth"
    assert run(source, there, "--names", names)[0] == 0
    assert run(there, back)[0] == 0
    assert bits(read_weights(back).state) == bits(state)


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_tensorflow_reads_what_was_written(kind: str, file_of: FileOf, synthetic: Path, bits: Bits) -> None:
    """By its own reader, of a checkpoint that came from a file in others' layouts."""
    assert bits(checkpoint.read(file_of(kind))) == bits(checkpoint.read(synthetic))


def test_what_is_said(synthetic: Path, run: Run, tmp_path: Path) -> None:
    code, out, err = run(synthetic, tmp_path / "a.h5", "--classes", "1000")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{synthetic}: PNASNet-5 mobile, 1,001 classes (class 0 is the background), no auxiliary head",
        "  TensorFlow checkpoint V2, names tf, 933 tensors of float32",
        f"{tmp_path / 'a.h5'}: names ours, 1,000 classes",
        "  the background's row was left out: class 0 is now the first of ImageNet's",
        "  read back: the same bits",
    ]


def test_config_json_beside_safetensors(synthetic: Path, run: Run, tmp_path: Path) -> None:
    assert run(synthetic, tmp_path / "model.safetensors", "--classes", "1000")[0] == 0
    content = json.loads((tmp_path / FILE).read_text())
    assert (content["architecture"], content["num_classes"]) == ("pnasnet5mobile", 1000)
    own = content[OWN]
    assert (own["weights"], own["class_offset"], own["image_size"]) == ("model.safetensors", 0, [224, 224])
    assert own["sha256"] == sha256(tmp_path / "model.safetensors")
    index = synthetic.with_name(f"{synthetic.name}.index")
    assert own["source"] == {
        "name": synthetic.name, "format": "TensorFlow checkpoint V2", "names": TF, "sha256": sha256(index)
    }  # fmt: skip
    assert from_pretrained(tmp_path).model.config.num_classes == 1000


def test_a_released_archive(weights: Weights, synthetic: Path, bits: Bits, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pnasnet-5_mobile_2017_12_13.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for file in synthetic.parent.glob(f"{synthetic.name}.*"):
            archive.add(file, file.name.replace(synthetic.name, "model.ckpt"))
    assert run(path, tmp_path / "a.safetensors")[0] == 0
    assert bits(read_weights(tmp_path / "a.safetensors").state) == bits(weights.state)
    assert json.loads((tmp_path / FILE).read_text())[OWN]["source"]["sha256"] == sha256(path)


def test_an_existing_target_is_replaced_by_force_alone(synthetic: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("precious")
    code, _, err = run(synthetic, tmp_path / "a.h5")
    assert (code, (tmp_path / "a.h5").read_text()) == (USAGE_ERROR, "precious")
    assert "--force replaces it" in err
    assert run(synthetic, tmp_path / "a.h5", "--force")[0] == 0
    assert read_weights(tmp_path / "a.h5").variant == "mobile"


def fails(run: Run, code: int, source: Path, target: Path, *options: str) -> str:
    """Run the command, which fails with the exit code and leaves the old target alone, and return its message."""
    target.write_text("precious")
    actual_code, _, err = run(source, target, "--force", *options)
    assert actual_code == code
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_text() == "precious"
    assert err.startswith("pnasnet-convert: ")
    return err


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for targets alone."""
    folder = tmp_path / "targets"
    folder.mkdir()
    return folder


def test_no_checkpoint(place: Path, run: Run) -> None:
    assert "there is no checkpoint" in fails(run, USAGE_ERROR, place.parent / "none.ckpt", place / "a.h5")


def test_a_checkpoint_that_does_not_fit(synthetic: Path, place: Path, run: Run) -> None:
    """Whatever is missing, left over or not finite is told at once."""
    variables = checkpoint.read(synthetic)
    broken = {name: array for name, array in variables.items() if name != "cell_5/1x1/weights"}
    broken["cell_5/1x1/biases"] = np.ones(3, np.float32)
    broken["conv0_bn/beta"] = np.full_like(variables["conv0_bn/beta"], np.nan)
    checkpoint.write(place.parent / "broken.ckpt", broken)
    message = fails(run, USAGE_ERROR, place.parent / "broken.ckpt", place / "broken.pth")
    assert "3 problems" in message
    assert "missing: cell_5/1x1/weights" in message
    assert "left over: cell_5/1x1/biases" in message
    assert "not finite: conv0_bn/beta" in message


def test_names_that_the_source_does_not_have(synthetic: Path, place: Path, run: Run) -> None:
    assert "no conv0.weight among its 933 tensors" in fails(
        run, USAGE_ERROR, synthetic, place / "a.h5", "--from-names", OURS
    )


def write_a_half(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    path.write_bytes(b"half")
    raise OSError("no space left")


def swap_axes(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write kernels of 7x7 with rows and columns exchanged, which no shape shows."""
    swapped = dict(arrays)
    for name, array in arrays.items():
        if array.shape[-2:] == (7, 7):
            swapped[name] = np.ascontiguousarray(array.swapaxes(-1, -2))
    formats.FORMATS[".h5"](path, swapped)


def flip_a_bit(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    changed = arrays["conv0_bn.bias"].copy()
    changed.view(np.uint32)[3] ^= 1
    formats.FORMATS[".h5"](path, {**arrays, "conv0_bn.bias": changed})


def lose_one(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    formats.FORMATS[".h5"](path, {name: array for name, array in arrays.items() if name != "conv0_bn.bias"})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (write_a_half, "no space left"),
        (swap_axes, "is not what was read, and is not put in place. These differ:\n  cell_"),
        (flip_a_bit, "is not what was read, and is not put in place. These differ:\n  conv0_bn.bias\n"),
        (lose_one, "missing: conv0_bn.bias"),
    ],
)
def test_faults_in_writing_are_found_before_anything_is_in_place(
    fault: Any, message: str, synthetic: Path, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "write_file", fault)
    assert message in fails(run, USAGE_ERROR, synthetic, place / "a.h5")


def test_differences_are_listed_in_both_directions() -> None:
    found = {"a": np.zeros(1), "b": np.zeros(1)}
    expected = {"a": -np.zeros(1), "c": np.zeros(1)}
    with pytest.raises(WeightsError, match=r"These differ:\n  a\n  c\n  b$"):
        conversion.check_bits(found, expected)


@pytest.mark.parametrize(
    "arguments", [["only.ckpt"], ["a", "b.h5", "--names", "keras"], ["a", "b.h5", "--classes", "7"]]
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == USAGE_ERROR
    assert "usage: pnasnet-convert" in capsys.readouterr().err


def test_a_target_that_cannot_be_written_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "none", tmp_path / "a.onnx")
    assert (code, out) == (USAGE_ERROR, "")
    assert "unknown format '.onnx'" in err


# Each argument is a whole command, cut at bars.
HIDDEN = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "tensorflow" else real(name, *more)
from parity.convert.__main__ import PROG, main
from parity.core.command import run
codes = [run(main, PROG, line.split("|")) for line in sys.argv[1:]]
assert not {"tensorflow", "rich", "pytest"} & sys.modules.keys()
print("codes:", *codes)
"""


def test_without_tensorflow(synthetic: Path, tmp_path: Path) -> None:
    """All but checkpoints as targets, and verifying; where it is needed, what to install is said."""
    commands = [f"{synthetic}|{tmp_path / target}" for target in ("a.safetensors", "a.ckpt", "a.h5|--verify")]
    code, output = waiting.run(sys.executable, "-c", HIDDEN, *commands)
    assert code == 0, output
    assert "codes: 0 4 4" in output
    assert output.count("needs tensorflow: python -m pip install 'pnasnet-parity[parity]'") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a.safetensors", FILE}


def test_help_suffices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    output = capsys.readouterr().out
    for word in ("examples:", ".tar.gz", "--verify", "pnasnet-pytorch", "exit codes"):
        assert word in output


@pytest.mark.parametrize("options", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("limit", [0, 3_000_000])
def test_a_full_disk_ends_in_a_sentence(
    options: tuple[str, ...], limit: int, synthetic: Path, run: Run, tmp_path: Path
) -> None:
    """And leaves what was there, alone."""
    target = tmp_path / options[0]
    with file_size_limit(limit):
        code, _, said = run(synthetic, target, *options[1:])
    assert code == USAGE_ERROR
    assert said.startswith(f"pnasnet-convert: {target} cannot be written: File too large: raise the limit")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_refused_before_reading(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, _, said = run(tmp_path / "missing.ckpt", tmp_path / "a.h5")
    assert code == USAGE_ERROR
    assert said == f"pnasnet-convert: {tmp_path} cannot be written: Read-only file system: name another folder\n"


@pytest.mark.parametrize("name", ["a.h5", "a.ckpt", "a.safetensors"])
def test_a_folder_is_not_replaced(name: str, synthetic: Path, run: Run, tmp_path: Path) -> None:
    """Not even with --force: it may hold anything."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").touch()
    code, _, said = run(synthetic, tmp_path / name, "--force")
    assert (code, said) == (
        USAGE_ERROR,
        f"pnasnet-convert: {tmp_path / name} is a folder: name a file, in it or elsewhere\n",
    )
    assert (tmp_path / name / "mine").exists()


def test_a_file_is_no_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, said = run("missing.ckpt", tmp_path / "file/a.h5")
    assert (code, said.partition(": ")[2]) == (
        USAGE_ERROR,
        f"{tmp_path}/file/a.h5: {tmp_path}/file is a file: name a folder\n",
    )
