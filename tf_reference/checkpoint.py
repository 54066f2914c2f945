"""TensorFlow checkpoints in and out: V2 (a prefix with .index and .data files) and V1 (one file)."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tf_reference.compat import tensorflow
from tf_reference.errors import InputError

# What a checkpoint may hold besides the network's variables.
BOOKKEEPING = frozenset({"global_step"})
PART_OF_V2 = re.compile(r"(.*)\.(index|meta|data-\d{5}-of-\d{5})")


def locate(prefix: str | Path) -> Path:
    """Return the file that proves that there is a checkpoint at `prefix`: the V2 index, or the V1 file itself.

    Raise InputError if there is none, or if a part of a V2 checkpoint was given for the whole.
    """
    path = Path(prefix)
    if path.is_dir() or not path.name:
        raise InputError(f"{path} is a folder: give the prefix that the checkpoint's files in it share, as model.ckpt")
    part = PART_OF_V2.fullmatch(str(path))
    if part:
        raise InputError(f"{path} is one part of a checkpoint: give the prefix that its files share, {part[1]}")
    index = path.with_name(path.name + ".index")
    if index.is_file():
        return index
    if path.is_file():
        return path
    hint = ""
    prefixes_near = sorted(str(other_index).removesuffix(".index") for other_index in path.parent.glob("*.index"))
    if prefixes_near:
        hint = f"; in this folder there is {', '.join(prefixes_near)}"
    raise InputError(f"there is no checkpoint at {path}: neither {index.name} nor a file {path.name} exists{hint}")


def fingerprint(prefix: str | Path) -> str:
    """Return the SHA-256 that stands for the checkpoint's content, without TensorFlow.

    A V2 index holds a checksum of every tensor, which TensorFlow verifies when it reads, so the index stands for all.
    """
    return hashlib.sha256(locate(prefix).read_bytes()).hexdigest()


def shapes(prefix: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable of the checkpoint, bookkeeping apart, by name. Raise InputError as `read`."""
    shape_by_name = _reader(prefix).get_variable_to_shape_map()
    return {name: tuple(shape_by_name[name]) for name in sorted(shape_by_name) if name not in BOOKKEEPING}


def read(prefix: str | Path) -> dict[str, np.ndarray]:
    """Return every variable of the checkpoint, bookkeeping apart, by name. Raise InputError if it cannot be read."""
    reader = _reader(prefix)
    variables = {}
    for name in shapes(prefix):
        with _naming(prefix, name):
            variables[name] = reader.get_tensor(name)
    return variables


def _reader(prefix: str | Path) -> Any:
    locate(prefix)  # which says what is missing, and what lies near
    with _naming(prefix):
        return tensorflow().train.load_checkpoint(str(prefix))


@contextmanager
def _naming(prefix: str | Path, name: str = "") -> Iterator[None]:
    """Turn what TensorFlow raises into one InputError that names the checkpoint, and the variable."""
    tf = tensorflow()
    try:
        yield
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        where = f" (variable {name})" if name else ""
        raise InputError(
            f"{prefix} is not a sound TensorFlow checkpoint{where}: {error}. It may be truncated or of another format; "
            "copy or convert it again"
        ) from error


def check(prefix: str | Path, variables: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise one InputError that lists every variable that is missing, left over, of another shape or not finite."""
    problems = [f"left over: {name} {array.shape}" for name, array in variables.items() if name not in shapes]
    for name, shape in shapes.items():
        if name not in variables:
            problems.append(f"missing: {name} {shape}")
            continue
        array = variables[name]
        if array.shape != shape:
            problems.append(f"wrong shape: {name}: expected {shape}, found {array.shape}")
        elif not np.isfinite(array).all():
            index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            problems.append(f"not finite: {name}: {array[index]} at {index}")
    if problems:
        listed = "\n  ".join(sorted(problems))
        raise InputError(f"{prefix} does not fit the official network ({len(problems)} problems):\n  {listed}")


def write(prefix: str | Path, variables: Mapping[str, np.ndarray], version: int = 2) -> None:
    """Write a checkpoint of format `version` (1 or 2) by the operation of TensorFlow's own saver, in its order."""
    operations = tensorflow().raw_ops
    names = sorted(variables)
    values = [variables[name] for name in names]
    if version == 2:
        operations.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    else:
        operations.Save(filename=str(prefix), tensor_names=names, data=values)
