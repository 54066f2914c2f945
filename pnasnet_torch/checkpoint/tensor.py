"""Variables as both formats describe them: shapes, types, and slices of partitioned ones."""

import math
from dataclasses import dataclass, field

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError
from pnasnet_torch.checkpoint.protobuf import Message

# Numbers of tensorflow/core/framework/types.proto.
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 9: np.int64, 19: np.float16}
OTHER_DTYPES = {7: "string", 10: "bool", 14: "bfloat16"}
# Of each axis the start and the length; (0, FULL) is all of it. No axes at all: all of the variable.
FULL = -1
Slice = tuple[tuple[int, int], ...]


def dtype_of(number: int) -> np.dtype[np.generic]:
    """Raises DamageError for a type that weights do not have."""
    if number not in DTYPES:
        name = OTHER_DTYPES.get(number, f"number {number}")
        raise DamageError(f"its type is {name}, and not float16, float32, float64, int32 or int64")
    return np.dtype(DTYPES[number])


def shape_of(message: Message) -> tuple[int, ...]:
    """Of a TensorShapeProto."""
    return tuple(size.number(1) for size in message.messages(2))


def slice_of(message: Message) -> Slice:
    """Of a TensorSliceProto."""
    return tuple((extent.number(1), extent.number(2) if 2 in extent else FULL) for extent in message.messages(1))


@dataclass
class Tensor:
    """A variable whose values arrive in pieces."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    pieces: list[tuple[Slice, np.ndarray]] = field(default_factory=list)

    def whole(self) -> np.ndarray:
        """All of it. Raises DamageError unless each value is there once."""
        given, expected = sum(piece.size for _, piece in self.pieces), math.prod(self.shape)
        if given != expected:
            raise DamageError(f"{given:,} of its {expected:,} values {self.shape} are there")
        array, filled = np.empty(self.shape, self.dtype), np.zeros(self.shape, bool)
        for axes, piece in self.pieces:
            index = tuple(slice(start, None if length == FULL else start + length) for start, length in axes)
            array[index] = piece.reshape(array[index].shape)
            filled[index] = True
        if not filled.all():
            raise DamageError("some of its values are there twice, others are not")
        return array
