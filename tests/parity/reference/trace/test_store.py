"""The file of a trace: every bit comes back, and whatever is missing or was altered is noticed."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from parity.reference.trace.store import COMPRESSIONS, Reader, Writer
from tests.limits import file_size_limit
from tests.parity.reference.trace.test_encoding import bits
from tf_reference.errors import InputError

VALUES: dict[str, np.ndarray] = {
    "photograph": np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32),
    "integers": np.arange(-60, 60, dtype=np.float64).reshape(1, 4, 5, 6),
    "scope/of/weights": np.array([[-1, 0], [1, 2]], np.float32),
    "special": np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-310]),
    "zeros": np.array([0.0, -0.0], np.float32),
    "scalar": np.array(3.5),
    "none": np.zeros((0, 3), np.float32),
    "bytes": np.frombuffer(b"a file", np.uint8),
}
HEAD = {"provenance": {"cpu": "some"}, "recorded": {}}


def write(path: Path, compression: str = "none") -> Path:
    """Write a trace of `VALUES`, and return its path."""
    writer = Writer(path, compression)
    try:
        for name, array in VALUES.items():
            writer.put(f"a/b/c/{name}", array)
        writer.finish(HEAD)
    finally:
        writer.close()
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path / "some.h5")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_bit_comes_back(tmp_path: Path, compression: str) -> None:
    with Reader(write(tmp_path / "deep" / "some.h5", compression)) as reader:
        assert reader.head == HEAD
        assert reader.folders() == ["a/b/c"]
        assert reader.below("a/b/c") == list(VALUES)
        for name, array in VALUES.items():
            assert bits(reader.get(f"a/b/c/{name}")) == bits(array)


def test_equal_arrays_take_the_place_of_one(tmp_path: Path) -> None:
    sizes = []
    for count in (1, 5):
        writer = Writer(tmp_path / f"{count}.h5")
        for number in range(count):
            writer.put(f"a/b/{number}", np.linspace(0, 1, 100_000))
        writer.finish(HEAD)
        sizes.append((tmp_path / f"{count}.h5").stat().st_size)
    assert sizes[1] < sizes[0] * 1.1


def test_nothing_is_left_of_an_unfinished_one_and_an_older_trace_stays(trace: Path) -> None:
    before = trace.read_bytes()
    writer = Writer(trace)
    writer.put("a/b/c", np.ones(5))
    assert len(list(trace.parent.iterdir())) == 2
    writer.close()
    assert [path.name for path in trace.parent.iterdir()] == ["some.h5"]
    assert trace.read_bytes() == before


def test_two_processes_at_the_same_trace_do_each_other_no_harm(trace: Path) -> None:
    """Neither removes what the other is writing; both traces are complete, and the last stays."""
    writer = Writer(trace)
    writer.put("a/b/c", np.ones(5))
    code = "import sys, pathlib, tests.parity.reference.trace.test_store as test; test.write(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(trace)], check=True, cwd=Path(__file__).parents[4])
    with Reader(trace) as reader:
        assert reader.below("a/b/c") == list(VALUES)
    writer.finish(HEAD)
    writer.close()
    with Reader(trace) as reader:
        assert reader.get("a/b/c").tolist() == [1] * 5
    assert [path.name for path in trace.parent.iterdir()] == ["some.h5"]


@pytest.mark.parametrize("limit", [0, 100, 1000, 5000])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path, limit: int, compression: str) -> None:
    """Not by a crash of libhdf5, whenever the limit is met; and nothing is left."""
    with file_size_limit(limit), pytest.raises(InputError, match=r"some\.h5 cannot be written: File too large: raise"):
        write(tmp_path / "some.h5", compression)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_at_the_first_array(tmp_path: Path) -> None:
    """Not at the end of hours."""
    writer = Writer(tmp_path / "some.h5")
    with file_size_limit(4096), pytest.raises(InputError, match="cannot be written: File too large"):
        writer.put("a/b/c", np.linspace(0, 1, 100_000))
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_trace_that_may_not_be_read_is_not_called_damaged(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"some\.h5 cannot be read: Permission denied$"):
        Reader(trace)
    with pytest.raises(InputError, match="is a folder: name the trace in it"):
        Reader(trace.parent)


def test_a_trace_is_read_where_there_are_no_locks(trace: Path) -> None:
    """Here, where another process holds the lock that HDF5 would ask for."""
    with trace.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with Reader(trace) as reader:
            assert reader.below("a/b/c") == list(VALUES)


def test_a_place_where_nothing_can_be_written_is_refused(trace: Path) -> None:
    with pytest.raises(InputError, match=r"below\.h5 cannot be written: .*a part of its path is a file"):
        Writer(trace / "below.h5")


@pytest.mark.parametrize("name", ["photograph", "integers", "scope/of/weights"])
def test_an_altered_array_is_refused_when_it_is_read(trace: Path, name: str) -> None:
    with h5py.File(trace, "r+") as file:
        file[f"arrays/a/b/c/{name}"][0] += 1
    with Reader(trace) as reader:
        reader.get("a/b/c/special")
        with pytest.raises(InputError, match=f"some.h5 was altered: the checksum of a/b/c/{name} does not fit"):
            reader.get(f"a/b/c/{name}")


def test_a_missing_array_is_refused_when_it_is_read(trace: Path) -> None:
    with h5py.File(trace, "r+") as file:
        del file["arrays/a/b/c/integers"]
    with Reader(trace) as reader, pytest.raises(InputError, match="damaged: a/b/c/integers cannot be read"):
        reader.get("a/b/c/integers")


def alter_head(file: h5py.File) -> None:
    content = file["head"][()].tobytes().replace(b"some", b"same")
    file["head"][()] = np.frombuffer(content, np.uint8)


def other_version(file: h5py.File) -> None:
    file.attrs["version"] = 99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (alter_head, "was altered: the checksum of its head does not fit"),
        (other_version, "is a trace of version 99, and this program reads 2"),
        (lambda file: file.pop("head"), "no trace, or an incomplete one"),
        (lambda file: file.attrs.pop("format"), "no trace, or an incomplete one"),
        (lambda file: file.attrs.pop("version"), "no trace, or an incomplete one"),
        (lambda file: file.attrs.pop("sha256"), "no trace, or an incomplete one"),
    ],
)
def test_a_changed_file_is_refused(trace: Path, change: object, message: str) -> None:
    with h5py.File(trace, "r+") as file:
        change(file)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        Reader(trace)


def test_what_is_no_hdf5_file_is_refused(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no trace at .*absent\.h5: record one with"):
        Reader(tmp_path / "absent.h5")
    trace.write_bytes(trace.read_bytes()[:3000])
    with pytest.raises(InputError, match="is no HDF5 file, or a truncated one"):
        Reader(trace)
