"""Format V1: one table for all variables, or several, each with its part of them.

Source: tensorflow/core/util/tensor_slice_writer.cc, tensor_slice_reader.cc and saved_tensor_slice.proto.
"""

from collections.abc import Sequence

import numpy as np

from pnasnet_torch.checkpoint.damage import naming
from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.protobuf import Message, unpack
from pnasnet_torch.checkpoint.table import read_table
from pnasnet_torch.checkpoint.tensor import DTYPES, Tensor, shape_of, slice_of, type_name
from pnasnet_torch.state import Arrays, State

# The key of the entry that describes all variables; every other one is a piece of a variable.
HEADER = b""
# The field of a TensorProto that holds the values of a type.
FIELDS = {"float32": 5, "float64": 6, "int32": 7, "int64": 10, "float16": 13}


def read_v1(files: Files, names: Sequence[str]) -> State:
    """Return all variables by name, from the files called `names`.

    Raise WeightsError, naming the file and the variable, where a byte is not as written.
    """
    tensors: dict[str, Tensor] = {}
    others: dict[str, str] = {}
    for file in names:
        with naming(files.path(file)):
            entries = dict(read_table(files.read(file)))
            for description in Message(entries.pop(HEADER)).message(1).messages(1):
                name = description.text(1)
                dtype = description.number(3)
                if dtype not in DTYPES:
                    others[name] = type_name(dtype)
                    continue
                tensor = Tensor(shape_of(description.message(2)), np.dtype(DTYPES[dtype]))
                # A partitioned variable may have pieces in several files, each of which describes all of it.
                tensors.setdefault(name, tensor)
            for content in entries.values():
                saved = Message(content).message(2)
                name = saved.text(1)
                if name in others:
                    continue
                with naming(files.path(file), name):
                    values = _values(saved.message(3), tensors[name].dtype)
                    tensors[name].pieces.append((slice_of(saved.message(2)), values))
    paths = ", ".join(map(files.path, names))
    variables: Arrays = {}
    for name, tensor in tensors.items():
        with naming(paths, name):
            variables[name] = tensor.whole()
    return State(variables, others)


def _values(message: Message, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Return the values (N,) of a TensorProto, in which savers leave type and shape away."""
    packed = message.part(FIELDS[dtype.name])
    # Protocol buffers store floating point as it is, and all else as numbers in base 128: float16 as its 16 bits.
    if dtype.name in ("float32", "float64"):
        return np.frombuffer(packed, dtype.newbyteorder("<"))
    numbers = unpack(packed)
    if dtype == np.float16:
        return numbers.astype(np.uint16).view(np.float16)
    return numbers.astype(dtype)
