"""Writes files of tensors by name: .h5, .safetensors and .pth."""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.writing import uncomplaining

AN_HOUR = 3600
Write = Callable[[Path, Mapping[str, np.ndarray]], None]


def write_file(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to `path`, in the format of its suffix. Raise WeightsError for an unknown one."""
    writer_of(path)(path, arrays)


def write_whole(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to `path` as `write_file` does, whole or not at all.

    Raise WeightsError for an unknown format, and where the file cannot be written.
    """
    write = writer_of(path)
    # In the same folder, from which it is only renamed when it is whole.
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        _remove_leftovers(path)
        write(temporary, arrays)
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed left beside `path`: a file that is still written is not so old."""
    for leftover in path.parent.glob(f".{'[0-9a-f]' * 32}{path.suffix}"):
        # What another process removes first is gone all the same.
        with suppress(OSError):
            if leftover.stat().st_mtime < time.time() - AN_HOUR:
                leftover.unlink()


# Each format's library is imported where a file of the format is written, and not before.
def _write_h5(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an HDF5 file with a data set for each array; a slash in its name makes a group."""
    import h5py

    with uncomplaining(path) as target, h5py.File(target, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def _write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file."""
    from safetensors.numpy import save

    # Not save_file, which makes files that their owner alone can read. Some readers ask for that note.
    path.write_bytes(save(dict(arrays), {"format": "pt"}))


def _write_pth(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a file that PyTorch loads as a state by name."""
    import torch

    state = {}
    for name, array in arrays.items():
        # PyTorch warns of an array that cannot be written to.
        writable = np.require(array, requirements="W")
        state[name] = torch.from_numpy(writable)
    with uncomplaining(path) as target:
        torch.save(state, target)


FORMATS: dict[str, Write] = {".h5": _write_h5, ".safetensors": _write_safetensors, ".pth": _write_pth}


def writer_of(path: Path) -> Write:
    """Return what writes the format that the file's suffix names. Raise WeightsError for an unknown one."""
    if path.suffix not in FORMATS:
        raise WeightsError(f"{path}: unknown format {path.suffix!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
