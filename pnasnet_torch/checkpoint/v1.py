"""Format V1: one table for all variables, or several, each with its part of them.

Source: tensorflow/core/util/tensor_slice_writer.cc, tensor_slice_reader.cc and saved_tensor_slice.proto.
"""

from collections.abc import Sequence

import numpy as np

from pnasnet_torch.checkpoint.damage import naming
from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.protobuf import Message, unpack
from pnasnet_torch.checkpoint.table import read_table
from pnasnet_torch.checkpoint.tensor import Tensor, dtype_of, shape_of, slice_of

HEADER = b""
# The field of a TensorProto that holds the values of a type.
FIELDS = {"float32": 5, "float64": 6, "int32": 7, "int64": 10, "float16": 13}


def read_v1(files: Files, names: Sequence[str]) -> dict[str, np.ndarray]:
    """All variables by name. Raises WeightsError, naming the file and the variable, where a byte is not as written."""
    tensors: dict[str, Tensor] = {}
    for file in names:
        with naming(files.path(file)):
            entries = dict(read_table(files.read(file)))
            for row in Message(entries.pop(HEADER)).message(1).messages(1):
                tensor = Tensor(shape_of(row.message(2)), dtype_of(row.number(3)))
                tensors.setdefault(row.text(1), tensor)
            for content in entries.values():
                saved = Message(content).message(2)
                with naming(files.path(file), name := saved.text(1)):
                    values = _values(saved.message(3), tensors[name].dtype)
                    tensors[name].pieces.append((slice_of(saved.message(2)), values))
    found = {}
    for name, tensor in tensors.items():
        with naming(", ".join(map(files.path, names)), name):
            found[name] = tensor.whole()
    return found


def _values(message: Message, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Of a TensorProto, in which savers leave type and shape away."""
    packed = message.part(FIELDS[dtype.name])
    if dtype.name in ("float32", "float64"):
        return np.frombuffer(packed, dtype.newbyteorder("<"))
    numbers = unpack(packed)
    return numbers.astype(np.uint16).view(np.float16) if dtype == np.float16 else numbers.astype(dtype)
