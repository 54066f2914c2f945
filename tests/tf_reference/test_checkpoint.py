"""Checkpoints come back bit for bit, and whatever is wrong with one is said."""

from pathlib import Path

import numpy as np
import pytest

from tf_reference import checkpoint
from tf_reference.errors import InputError

Values = dict[str, np.ndarray]
RNG = np.random.default_rng(0)
VALUES: Values = {
    "conv0/weights": RNG.normal(size=(3, 3, 3, 8)).astype(np.float32),
    "conv0_bn/beta": np.array([0.0, -0.0, 1e-45, 3.4e38, -1.1754944e-38], np.float32),
    "doubles": RNG.normal(size=(2, 5)),
    "scalar": np.array(0.1, np.float32),
}
SHAPES = {name: array.shape for name, array in VALUES.items()}
TEXT = b"no checkpoint\n"
FOREIGN = {"empty": b"", "text": TEXT, "long-text": TEXT * 1000, "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(500)}
VERSIONS = pytest.mark.parametrize("version", [1, 2], ids=["V1", "V2"])


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """The prefix of a V1 checkpoint of `VALUES`."""
    checkpoint.write(tmp_path / "model.ckpt", VALUES, version=1)
    return tmp_path / "model.ckpt"


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """The prefix of a V2 checkpoint of `VALUES`."""
    checkpoint.write(tmp_path / "model.ckpt", VALUES)
    return tmp_path / "model.ckpt"


def data(prefix: Path) -> Path:
    """Return the path of a V2 checkpoint's values."""
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def index(prefix: Path) -> Path:
    """Return the path of a V2 checkpoint's index."""
    return prefix.with_name(f"{prefix.name}.index")


def flip(path: Path, position: int) -> None:
    """Flip a bit of the file's byte at `position`."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0x40
    path.write_bytes(content)


@VERSIONS
def test_a_round_trip_changes_no_bit(version: int, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "model.ckpt", VALUES, version)
    read = checkpoint.read(tmp_path / "model.ckpt")
    assert read.keys() == VALUES.keys()
    for name, array in VALUES.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert read[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(("version", "files"), [(1, 1), (2, 2)], ids=["V1", "V2"])
def test_a_checkpoint_is_its_files_and_nothing_more(version: int, files: int, tmp_path: Path) -> None:
    """One for V1, data and index for V2: neither graph nor `checkpoint` file."""
    checkpoint.write(tmp_path / "model.ckpt", VALUES, version)
    assert sorted(path.name.partition(".ckpt")[0] for path in tmp_path.iterdir()) == ["model"] * files


@VERSIONS
def test_the_prefix_may_be_text(version: int, tmp_path: Path) -> None:
    checkpoint.write(str(tmp_path / "model.ckpt"), VALUES, version)
    assert checkpoint.read(str(tmp_path / "model.ckpt")).keys() == VALUES.keys()


def test_variables_are_read_by_other_names(v2: Path) -> None:
    read = checkpoint.read(v2, {"mine": "scalar"})
    assert read.keys() == {"mine"}
    assert read["mine"].tobytes() == VALUES["scalar"].tobytes()


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"TensorFlow cannot read the checkpoint .*model\.ckpt"):
        checkpoint.read(tmp_path / "model.ckpt")


def assert_unsound(prefix: Path, name: str = "") -> None:
    """Raise AssertionError unless reading is refused, with the prefix and `name` in the message."""
    with pytest.raises(InputError, match="TensorFlow cannot read the checkpoint") as caught:
        checkpoint.read(prefix)
    assert str(prefix) in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("kept", [0, 1, 100], ids=lambda kept: f"{kept}-bytes")
def test_truncated_data_is_found(kept: int, v2: Path) -> None:
    data(v2).write_bytes(data(v2).read_bytes()[:kept])
    assert_unsound(v2, "variable conv0/weights")


def test_data_that_lack_the_last_byte_are_found(v2: Path) -> None:
    data(v2).write_bytes(data(v2).read_bytes()[:-1])
    assert_unsound(v2, "variable ")


def test_missing_data_are_found(v2: Path) -> None:
    data(v2).unlink()
    assert_unsound(v2)


@pytest.mark.parametrize("position", [0, 431, -1], ids=lambda position: f"at-{position}")
def test_a_flipped_bit_in_the_data_is_found(position: int, v2: Path) -> None:
    """By the checksum of the variable that it lies in."""
    flip(data(v2), position)
    assert_unsound(v2, "variable ")


@pytest.mark.parametrize("position", [3, 40, -1], ids=lambda position: f"at-{position}")
def test_a_flipped_bit_in_the_index_is_found(position: int, v2: Path) -> None:
    flip(index(v2), position)
    assert_unsound(v2)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_index_is_found(share: float, v2: Path) -> None:
    content = index(v2).read_bytes()
    index(v2).write_bytes(content[: int(len(content) * share)])
    assert_unsound(v2)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_v1_file_is_found(share: float, v1: Path) -> None:
    content = v1.read_bytes()
    v1.write_bytes(content[: int(len(content) * share)])
    assert_unsound(v1)


@pytest.mark.parametrize("position", [0, 0.3, 0.6], ids=lambda position: f"at-{position}")
def test_a_flipped_bit_in_a_v1_file_is_found(position: float, v1: Path) -> None:
    flip(v1, int(position * v1.stat().st_size))
    assert_unsound(v1)


@pytest.mark.parametrize("name", ["model.ckpt", "model.ckpt.index"])
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_no_checkpoint(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert_unsound(tmp_path / "model.ckpt")


def test_a_fitting_checkpoint_passes(v2: Path) -> None:
    checkpoint.check(v2, checkpoint.read(v2), SHAPES)


def test_every_problem_is_listed_at_once() -> None:
    shapes = {"gone/weights": (1, 2), "wide/weights": (2, 3), "nan/beta": (2, 2), "inf/beta": (3,), "good": (1,)}
    variables = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    del variables["gone/weights"]
    variables["wide/weights"] = np.ones((3, 2), np.float32)
    variables["more/gamma"] = np.ones(4, np.float32)
    variables["nan/beta"][1, 0] = np.nan
    variables["inf/beta"][2] = -np.inf
    with pytest.raises(InputError) as caught:
        checkpoint.check("some/model.ckpt", variables, shapes)
    assert str(caught.value).splitlines() == [
        "some/model.ckpt does not fit the official network (5 problems):",
        "  left over: more/gamma (4,)",
        "  missing: gone/weights (1, 2)",
        "  not finite: inf/beta: -inf at (2,)",
        "  not finite: nan/beta: nan at (1, 0)",
        "  wrong shape: wide/weights: expected (2, 3), found (3, 2)",
    ]


def test_an_empty_checkpoint_fits_no_network() -> None:
    with pytest.raises(InputError, match=f"{len(SHAPES)} problems"):
        checkpoint.check("model.ckpt", {}, SHAPES)
