"""TensorFlow checkpoints in and out, by TensorFlow itself: V2 (a prefix with .index and .data files), V1 (one file)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tf_reference.compat import tensorflow
from tf_reference.errors import InputError

# How many problems a message lists of those that it counts.
EXAMPLES = 10


def read(prefix: str | Path, stored_names: Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """Return variables of the checkpoint by name: all of them, or those that `stored_names` has, by its keys.

    Raise InputError if it cannot be read.
    """
    with _naming(prefix):
        reader = tensorflow().train.load_checkpoint(str(prefix))
    if stored_names is None:
        stored_names = {name: name for name in sorted(reader.get_variable_to_shape_map())}
    variables = {}
    for name, stored_name in stored_names.items():
        with _naming(prefix, stored_name):
            variables[name] = reader.get_tensor(stored_name)
    return variables


@contextmanager
def _naming(prefix: str | Path, name: str = "") -> Iterator[None]:
    """Turn what TensorFlow raises into one InputError that names the checkpoint, and the variable."""
    tf = tensorflow()
    try:
        yield
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        where = f" (variable {name})" if name else ""
        raise InputError(f"TensorFlow cannot read the checkpoint {prefix}{where}: {error}") from error


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
        listed = sorted(problems)[:EXAMPLES]
        if len(problems) > EXAMPLES:
            listed.append(f"and {len(problems) - EXAMPLES:,} more")
        raise InputError(
            f"{prefix} does not fit the official network ({len(problems):,} problems):\n  " + "\n  ".join(listed)
        )


def write(prefix: str | Path, variables: Mapping[str, np.ndarray], version: int = 2) -> None:
    """Write a checkpoint of format `version` (1 or 2) by the operation of TensorFlow's own saver, in its order.

    Raise OSError, with the system's words among TensorFlow's, where the disk is full or cannot be written.
    """
    tf = tensorflow()
    operations = tf.raw_ops
    names = sorted(variables)
    values = [variables[name] for name in names]
    try:
        if version == 2:
            operations.SaveV2(
                prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
            )
        else:
            operations.Save(filename=str(prefix), tensor_names=names, data=values)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
