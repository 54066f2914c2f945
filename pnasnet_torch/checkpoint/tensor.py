"""Variables as both formats describe them: shapes, types, and slices of partitioned ones."""

import math
from dataclasses import dataclass, field

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError
from pnasnet_torch.checkpoint.protobuf import Message

# Numbers of tensorflow/core/framework/types.proto.
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 9: np.int64, 19: np.float16}
# Others that checkpoints have beside weights: the graph of a TF2 object checkpoint is a string.
OTHER_DTYPES = {7: "string", 10: "bool", 14: "bfloat16", 20: "resource", 21: "variant"}
# For each axis, the start and the length; (0, FULL) is all of the axis. No axes at all: all of the variable.
FULL = -1
Slice = tuple[tuple[int, int], ...]


def type_name(number: int) -> str:
    """Return the name of the type that has this number, and that no array has here."""
    return OTHER_DTYPES.get(number, f"of type {number}")


def shape_of(message: Message) -> tuple[int, ...]:
    """Return the shape in a TensorShapeProto."""
    return tuple(size.number(1) for size in message.messages(2))


def slice_of(message: Message) -> Slice:
    """Return the slice in a TensorSliceProto."""
    extents = []
    for extent in message.messages(1):
        # A length that is left away is no 0: it stands for all of the axis.
        length = extent.number(2) if 2 in extent else FULL
        extents.append((extent.number(1), length))
    return tuple(extents)


@dataclass
class Tensor:
    """A variable whose values arrive in pieces, each with the slice that it fills."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    pieces: list[tuple[Slice, np.ndarray]] = field(default_factory=list)

    def whole(self) -> np.ndarray:
        """Return all of the variable. Raise DamageError unless each value is there once."""
        values = sum(piece.size for _, piece in self.pieces)
        expected = math.prod(self.shape)
        # Before anything of that size is allocated: a file that was made to mislead may have any shape.
        if values != expected:
            raise DamageError(f"{values:,} of its {expected:,} values {self.shape} are there")
        array = np.empty(self.shape, self.dtype)
        filled = np.zeros(self.shape, bool)
        for axes, piece in self.pieces:
            index = _index(axes)
            array[index] = piece.reshape(array[index].shape)
            filled[index] = True
        if not filled.all():
            raise DamageError("some of its values are there twice, others are not")
        return array


def _index(axes: Slice) -> tuple[slice, ...]:
    """Return a slice of a variable as an index of its array."""
    index = []
    for start, length in axes:
        stop = None if length == FULL else start + length
        index.append(slice(start, stop))
    return tuple(index)
