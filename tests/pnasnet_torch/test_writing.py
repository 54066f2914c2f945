"""A disk that is full ends in the system's own reason, whatever library writes, and leaves nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import FORMATS, write_whole
from pnasnet_torch.stored import read_stored
from pnasnet_torch.writing import uncomplaining
from tests.limits import file_size_limit

ARRAYS = {f"layer/{number}": np.full((100, 100), number, np.float32) for number in range(5)}


@pytest.mark.parametrize("limit", [0, 100, 5_000, 150_000])
@pytest.mark.parametrize("suffix", FORMATS)
def test_the_reason_is_said_and_the_old_file_stays(suffix: str, limit: int, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_text("old")
    with (
        file_size_limit(limit),
        pytest.raises(WeightsError, match=f"weights{suffix} cannot be written: File too large$"),
    ):
        write_whole(path, ARRAYS)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
    write_whole(path, ARRAYS)
    assert read_stored(path).states[""].arrays.keys() == ARRAYS.keys()


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """A file of another hour is nobody's any more; a new one may be somebody's."""
    new, old = (tmp_path / f".{digit * 32}.h5" for digit in "ab")
    new.touch()
    old.touch()
    os.utime(old, (0, 0))
    write_whole(tmp_path / "weights.h5", ARRAYS)
    assert {path.name for path in tmp_path.iterdir()} == {new.name, "weights.h5"}


def test_the_systems_error_comes_in_the_place_of_a_librarys(tmp_path: Path) -> None:
    def write(file: object) -> None:
        file.write(b"x" * 100)  # type: ignore[attr-defined]
        raise RuntimeError("unexpected position")

    with file_size_limit(10), pytest.raises(OSError, match="File too large"), uncomplaining(tmp_path / "a") as file:
        write(file)
    with pytest.raises(RuntimeError, match="unexpected position"), uncomplaining(tmp_path / "a") as file:
        write(file)
