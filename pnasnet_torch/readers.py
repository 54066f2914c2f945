"""Reads the tensors in files of HDF5, safetensors and PyTorch. Reading never runs code that a file holds."""

import pickle
import re
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np

from pnasnet_torch.content import Kind
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.state import Arrays, State, States

# How deep mappings may lie in each other; a file made to mislead may hold one that contains itself.
DEPTH = 4
# Classes that only keep values. A pickle that asks for one of these can be made readable by whoever trusts the class.
PLAIN = re.compile(r"argparse\.Namespace|numpy\..*|pathlib\..*|collections\..*")


def read_states(path: str, kind: Kind, file: BinaryIO) -> States:
    """Return the states in a file of this kind, which a message calls `path`.

    Raise WeightsError if it is damaged, or holds what is no state.
    """
    try:
        return READERS[kind](path, file)
    except (WeightsError, MemoryError):
        raise
    except ImportError as error:
        raise WeightsError(
            f"{path} cannot be read, as a package for {kind.value} cannot be imported: {error}"
        ) from error
    except Exception as error:  # each format's library raises its own kinds
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's reason, of which the caller tells
        raise WeightsError(f"{path} is cut short or damaged ({kind.value}): {error}. Copy it again") from error


# Each format's library is imported where a file of the format is read, and not before.
def _read_hdf5(path: str, file: BinaryIO) -> States:
    """Return all data sets of an HDF5 file, each under its path in the file. Raise WeightsError for Keras's files."""
    import h5py

    arrays: Arrays = {}
    others: dict[str, str] = {}

    def visit(name: str, item: object) -> None:
        """Keep the item if it is a data set, and no group."""
        if not isinstance(item, h5py.Dataset):
            return
        if not np.issubdtype(item.dtype, np.number):
            others[name] = str(item.dtype)
            return
        # In the machine's order of bytes, which PyTorch asks for.
        arrays[name] = np.asarray(item[()], item.dtype.newbyteorder("="))

    # By a file of Python's, which HDF5 does not try to lock: not every file system has locks.
    with h5py.File(file, "r") as content:
        if {"layer_names", "keras_version"} & set(content.attrs):
            raise WeightsError(f"{path} is a file of Keras's, whose names are not those of PNASNet-5's releases")
        content.visititems(visit)
    return {"": State(arrays, others)}


def _read_safetensors(_path: str, file: BinaryIO) -> States:
    """Return all tensors of a safetensors file."""
    from safetensors.torch import load

    return {"": _state(load(file.read()))}


def _read_pytorch(path: str, file: BinaryIO) -> States:
    """Return each state in a file that PyTorch wrote. Raise WeightsError where it holds none, or more than data."""
    import torch

    try:
        # Without `weights_only`, a pickle may run code.
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        file.seek(0)
        raise WeightsError(_refusal(path, file, str(error))) from error
    states = _states_in(content)
    if not states:
        raise WeightsError(f"{path} holds a {type(content).__name__}, and no tensors by name")
    return states


def _states_in(content: object, key: str = "", depth: int = DEPTH) -> States:
    """Return each mapping with tensors within what PyTorch read, by the keys that lead to it."""
    import torch

    states: States = {}
    if not isinstance(content, Mapping) or not depth:
        return states
    by_name = {name: value for name, value in content.items() if isinstance(name, str)}
    if any(isinstance(value, torch.Tensor) for value in by_name.values()):
        states[key] = _state(by_name)
    for name, value in by_name.items():
        states |= _states_in(value, f"{key}.{name}" if key else name, depth - 1)
    return states


def _state(content: Mapping[str, object]) -> State:
    """Return the tensors of a mapping as arrays, and of all others what they are."""
    import torch

    arrays: Arrays = {}
    others: dict[str, str] = {}
    for name, value in content.items():
        if not isinstance(value, torch.Tensor):
            others[name] = type(value).__name__
            continue
        try:
            arrays[name] = value.detach().numpy()
        except (TypeError, RuntimeError):  # a type that NumPy has not, such as bfloat16; a sparse or quantised tensor
            others[name] = str(value.dtype).removeprefix("torch.")
    return State(arrays, others)


def _refusal(path: str, file: BinaryIO, reason: str) -> str:
    """Return the message on a file that PyTorch does not load without running what its pickle asks for."""
    refused = _refused(file, reason)
    if not refused:
        first_line = reason.partition("\n")[0]
        return f"{path} is cut short or damaged ({Kind.PYTORCH.value}): {first_line}. Copy it again"
    message = f"{path} holds {', '.join(refused)} beside its tensors, and is not loaded: such a file may run code"
    if all(map(PLAIN.fullmatch, refused)):
        return (
            f"{message}. Where these classes are known to be harmless, keep the tensors alone:\n"
            f"  torch.serialization.add_safe_globals([{', '.join(refused)}])\n"
            f"  torch.save(torch.load({path!r}, weights_only=True)['state_dict'], 'weights.pth')"
        )
    return (
        f"{message}. Ask whoever wrote it for the tensors alone:\n"
        "  state = model.state_dict()\n"
        "  torch.save(state, 'weights.pth')"
    )


def _refused(file: BinaryIO, reason: str) -> list[str]:
    """Return the classes and functions that a file asks for and that are not loaded, by their full names."""
    import torch

    try:
        names: list[str] = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except (ValueError, RuntimeError, pickle.UnpicklingError):  # before PyTorch 1.6, or damaged
        names = re.findall(r"GLOBAL (\S+) was not an allowed global", reason)
    return sorted(names)


READERS: dict[Kind, Callable[[str, BinaryIO], States]] = {
    Kind.HDF5: _read_hdf5,
    Kind.SAFETENSORS: _read_safetensors,
    Kind.PYTORCH: _read_pytorch,
}
