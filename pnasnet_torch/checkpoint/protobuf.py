"""Protocol buffers, as far as checkpoints need them: numbers, and messages with numbered fields."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError

Value = int | memoryview


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """An unsigned number in base 128 at `position`, and the position behind it."""
    number = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise DamageError("a number has no end")
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """A protocol buffer's fields in their order: the number, and an integer or bytes."""
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        match tag & 7:
            case 0:
                value, position = varint(message, position)
                yield tag >> 3, value
                continue
            case 2:
                size, position = varint(message, position)
            case 1 | 5:
                size = 8 if tag & 7 == 1 else 4
            case kind:
                raise DamageError(f"it has a field of the unknown kind {kind}")
        if position + size > len(message):
            raise DamageError("a field ends behind its message")
        part = message[position : position + size]
        yield tag >> 3, part if tag & 7 == 2 else int.from_bytes(part, "little")
        position += size


def signed(number: int) -> int:
    """An int64 of a protocol buffer, which stores its two's complement."""
    return number - 2**64 if number >= 2**63 else number


class Message:
    """A message's fields by number; one that is not there is 0, or an empty message, as protocol buffers have it."""

    def __init__(self, data: memoryview) -> None:
        self._fields: defaultdict[int, list[Value]] = defaultdict(list)
        for number, value in fields(data):
            self._fields[number].append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def numbers(self, number: int) -> list[int]:
        """All values of a field that holds integers."""
        values = self._fields.get(number, [])
        return [signed(value) for value in values if isinstance(value, int)]

    def number(self, number: int) -> int:
        """The last of them."""
        return [0, *self.numbers(number)][-1]

    def parts(self, number: int) -> list[memoryview]:
        """All values of a field that holds bytes."""
        return [value for value in self._fields.get(number, []) if isinstance(value, memoryview)]

    def part(self, number: int) -> memoryview:
        """The last of them."""
        return [memoryview(b""), *self.parts(number)][-1]

    def text(self, number: int) -> str:
        return str(self.part(number), "utf-8")

    def messages(self, number: int) -> "list[Message]":
        return [Message(part) for part in self.parts(number)]

    def message(self, number: int) -> "Message":
        return Message(self.part(number))


def unpack(packed: memoryview) -> np.ndarray:
    """The integers of a packed field, uint64."""
    data = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not data.size:
        return np.zeros(0, np.uint64)
    if not ends.size or ends[-1] != data.size - 1:
        raise DamageError("a number has no end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    shifts = 7 * (np.arange(data.size) - np.repeat(starts, ends - starts + 1))
    parts = (data & np.uint8(0x7F)).astype(np.uint64) << shifts.astype(np.uint64)
    return np.add.reduceat(parts, starts)
