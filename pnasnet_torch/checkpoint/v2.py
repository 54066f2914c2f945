"""Format V2: an index, which is a table, and data files.

Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc; for the keys of slices also
tensorflow/core/util/saved_tensor_slice_util.cc and tensorflow/core/lib/strings/ordered_code.cc.
"""

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError, UnsupportedError, check, naming
from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.protobuf import Message
from pnasnet_torch.checkpoint.table import read_table
from pnasnet_torch.checkpoint.tensor import DTYPES, Slice, Tensor, shape_of, slice_of, type_name
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.state import Arrays, State

# The key of the entry that describes the checkpoint, and what the keys of slices begin with.
HEADER = b""
SLICES = b"\0"


def read_v2(files: Files, prefix: str) -> State:
    """Return all variables of the checkpoint with this prefix, by name.

    Raise WeightsError, naming the file and the variable, where a byte is not as written.
    """
    index = files.path(f"{prefix}.index")
    with naming(index):
        entries = {key: Message(value) for key, value in read_table(files.read(f"{prefix}.index"))}
        header = entries.pop(HEADER)
        if header.number(2):
            raise UnsupportedError("it was written on a big-endian machine: save it again on another one")
        data = _Data(files, prefix, header.number(1))
    variables: Arrays = {}
    others: dict[str, str] = {}
    for key, entry in entries.items():
        # A slice is read with its variable, which has an entry, too.
        if key.startswith(SLICES):
            continue
        name = str(key, "utf-8", "replace")
        dtype = entry.number(1)
        if dtype not in DTYPES:
            others[name] = type_name(dtype)
            continue
        with naming(index, name):
            tensor = Tensor(shape_of(entry.message(2)), np.dtype(DTYPES[dtype]))
            slices = [slice_of(message) for message in entry.messages(7)]
            pieces = [(axes, entries[slice_key(name, axes)]) for axes in slices]
            # A variable that is not partitioned is its own only piece.
            for axes, piece in pieces or [((), entry)]:
                values = data.read(name, piece).view(tensor.dtype)
                tensor.pieces.append((axes, values))
            variables[name] = tensor.whole()
    return State(variables, others)


class _Data:
    """The data files, each read when first needed."""

    def __init__(self, files: Files, prefix: str, count: int) -> None:
        self._files = files
        self._prefix = prefix
        self._count = count
        self._contents: dict[str, memoryview] = {}

    def read(self, name: str, entry: Message) -> np.ndarray:
        """Return the bytes (N,) that the entry of the variable `name`, or of a slice of it, points to."""
        file = f"{self._prefix}.data-{entry.number(3):05}-of-{self._count:05}"
        start = entry.number(4)
        size = entry.number(5)
        if file not in self._files.names:
            raise WeightsError(
                f"{self._files.path(file)}: there is no such file, and {self._prefix}.index says that variables are in "
                f"it: a checkpoint is all files that begin with {self._prefix}"
            )
        with naming(self._files.path(file), name):
            if file not in self._contents:
                self._contents[file] = self._files.read(file)
            content = self._contents[file][start : start + size]
            # A slice behind the end is just shorter.
            if len(content) != size:
                raise DamageError("it ends too early: it is truncated")
            check(entry.number(6), content)
            return np.frombuffer(content, np.uint8)


def slice_key(name: str, axes: Slice) -> bytes:
    """Return the key in the index of a slice of the variable `name`."""
    # The encoding keeps the order of names and numbers in that of bytes, by which a table is sorted. In a name, 0 and
    # 255 are escaped, so that 0, 1 can end it.
    escaped = name.encode().replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff")
    key = SLICES + escaped + b"\0\1" + _ordered_unsigned(len(axes))
    for start, length in axes:
        key += _ordered(start) + _ordered(length)
    return key


def _ordered_unsigned(number: int) -> bytes:
    """Return an unsigned number as how many bytes it has, and these."""
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _ordered(number: int) -> bytes:
    """Return a signed number below 2**55 as bytes: as many leading ones as bytes, then its bits.

    A negative number is inverted.
    """
    if number < 0:
        return bytes(byte ^ 0xFF for byte in _ordered(~number))
    size = number.bit_length() // 7 + 1
    return (((1 << size) - 1) << 7 * size | number).to_bytes(size, "big")
