"""Format V2: an index, which is a table, and data files.

Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc; for the keys of slices also
tensorflow/core/util/saved_tensor_slice_util.cc and tensorflow/core/lib/strings/ordered_code.cc.
"""

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError, check, naming
from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.protobuf import Message
from pnasnet_torch.checkpoint.table import read_table
from pnasnet_torch.checkpoint.tensor import Slice, Tensor, dtype_of, shape_of, slice_of

HEADER, SLICES = b"", b"\0"


def read_v2(files: Files, prefix: str) -> dict[str, np.ndarray]:
    """All variables by name. Raises WeightsError, naming the file and the variable, where a byte is not as written."""
    index = files.path(f"{prefix}.index")
    with naming(index):
        entries = {key: Message(value) for key, value in read_table(files.read(f"{prefix}.index"))}
        header = entries.pop(HEADER)
        if header.number(2):
            raise DamageError("it was written on a big-endian machine")
        data = _Data(files, prefix, header.number(1))
    variables = {}
    for key, entry in entries.items():
        if key.startswith(SLICES):  # of a variable that has an entry, too
            continue
        with naming(index, name := str(key, "utf-8", "replace")):
            tensor = Tensor(shape_of(entry.message(2)), dtype_of(entry.number(1)))
            slices = [slice_of(message) for message in entry.messages(7)]
            pieces = [(axes, entries[slice_key(name, axes)]) for axes in slices] or [((), entry)]
            tensor.pieces += [(axes, data.read(name, piece).view(tensor.dtype)) for axes, piece in pieces]
            variables[name] = tensor.whole()
    return variables


class _Data:
    """The data files, each read when first needed."""

    def __init__(self, files: Files, prefix: str, count: int) -> None:
        self._files, self._prefix, self._count = files, prefix, count
        self._contents: dict[str, memoryview] = {}

    def read(self, name: str, entry: Message) -> np.ndarray:
        """The bytes that the entry of the variable `name`, or of a slice of it, points to."""
        file = f"{self._prefix}.data-{entry.number(3):05}-of-{self._count:05}"
        start, size = entry.number(4), entry.number(5)
        with naming(self._files.path(file), name):
            if file not in self._files.names:
                raise DamageError("there is no such file")
            if file not in self._contents:
                self._contents[file] = self._files.read(file)
            found = self._contents[file][start : start + size]
            if len(found) != size:
                raise DamageError("it ends too early: it is truncated")
            check(entry.number(6), found)
            return np.frombuffer(found, np.uint8)


def slice_key(name: str, axes: Slice) -> bytes:
    """The key in the index of a slice of the variable `name`."""
    escaped = name.encode().replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff")
    return b"\0" + escaped + b"\0\1" + _ordered_unsigned(len(axes)) + b"".join(map(_ordered, sum(axes, ())))


def _ordered_unsigned(number: int) -> bytes:
    """How many bytes, and these."""
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _ordered(number: int) -> bytes:
    """A signed number below 2**55: as many leading ones as bytes, then its bits; a negative one inverted."""
    if number < 0:
        return bytes(byte ^ 0xFF for byte in _ordered(~number))
    size = number.bit_length() // 7 + 1
    return (((1 << size) - 1) << 7 * size | number).to_bytes(size, "big")
