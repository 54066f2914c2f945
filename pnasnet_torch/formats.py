"""Files of tensors by name: .h5, .safetensors and .pth. Reading never runs code that a file holds."""

import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pnasnet_torch.errors import WeightsError

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
# The key under which others store a state, beside what else they keep of a training.
WRAPPER = "state_dict"


def read_file(path: Path) -> Arrays:
    """Return the file's tensors by name, in the format of its suffix.

    Raise WeightsError, naming the file, if it cannot be read or holds something else.
    """
    form = format_of(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    try:
        return form.read(path)
    except Exception as error:  # each format's library raises its own kinds
        raise WeightsError(f"{path} is not a sound {path.suffix} file of weights by name: {error}") from error


def write_file(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to `path`, in the format of its suffix. Raise WeightsError for an unknown one."""
    format_of(path).write(path, arrays)


def write_whole(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to `path` as `write_file` does, whole or not at all."""
    form = format_of(path)
    # In the same folder, from which it is only renamed when it is whole.
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        form.write(temporary, arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


# Each format's library is imported where a file of the format is read or written, and not before.
def _read_h5(path: Path) -> Arrays:
    """Return all data sets of an HDF5 file, each under its path in the file."""
    import h5py

    arrays: Arrays = {}

    def visit(name: str, item: object) -> None:
        """Keep the item if it is a data set, and no group."""
        if isinstance(item, h5py.Dataset):
            # In the machine's order of bytes, which PyTorch asks for.
            arrays[name] = np.asarray(item[()], item.dtype.newbyteorder("="))

    with h5py.File(path) as file:
        file.visititems(visit)
    return arrays


def _write_h5(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an HDF5 file with a data set for each array; a slash in its name makes a group."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def _read_safetensors(path: Path) -> Arrays:
    """Return all tensors of a safetensors file. Raise ValueError for a type that NumPy does not have."""
    from safetensors.torch import load_file

    return _arrays(load_file(path))


def _write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file."""
    from safetensors.numpy import save

    # Not save_file, which makes files that their owner alone can read. Some readers ask for that note.
    path.write_bytes(save(dict(arrays), {"format": "pt"}))


def _read_pth(path: Path) -> Arrays:
    """Return the state in a file that PyTorch wrote. Raise ValueError for anything but tensors by name."""
    import torch

    # Without `weights_only`, a pickle may run code.
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(loaded, dict) and WRAPPER in loaded:
        log.info("%s: its %s alone is read, of %s", path, WRAPPER, ", ".join(map(str, loaded)))
        loaded = loaded[WRAPPER]
    return _arrays(loaded)


def _write_pth(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a file that PyTorch loads as a state by name."""
    import torch

    state = {}
    for name, array in arrays.items():
        # PyTorch warns of an array that cannot be written to.
        writable = np.require(array, requirements="W")
        state[name] = torch.from_numpy(writable)
    torch.save(state, path)


def _arrays(state: object) -> Arrays:
    """Return the arrays of what PyTorch read. Raise ValueError for anything but tensors by name, of NumPy's types."""
    import torch

    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, and no tensors by name")
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name} is no tensor, but {tensor!r:.80}")
        if tensor.dtype == torch.bfloat16:
            raise ValueError(f"{name} is bfloat16: expected float16, float32 or float64")
    return {str(name): tensor.detach().numpy() for name, tensor in state.items()}


class Format(NamedTuple):
    """How a format is read and written."""

    read: Callable[[Path], Arrays]
    write: Callable[[Path, Mapping[str, np.ndarray]], None]


FORMATS = {
    ".h5": Format(_read_h5, _write_h5),
    ".safetensors": Format(_read_safetensors, _write_safetensors),
    ".pth": Format(_read_pth, _write_pth),
}


def format_of(path: Path) -> Format:
    """Return the format that the file's suffix names. Raise WeightsError for an unknown one."""
    if path.suffix not in FORMATS:
        raise WeightsError(f"{path}: unknown format {path.suffix!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
