"""Protocol buffers, as far as checkpoints need them: numbers, and messages with numbered fields."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from pnasnet_torch.checkpoint.damage import DamageError

Value = int | memoryview
# The kinds of a field, which are the lower three bits of its tag; and the sizes (bytes) of those that have a fixed one.
NUMBER = 0
BYTES = 2
FIXED_SIZES = {1: 8, 5: 4}


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return an unsigned number in base 128 at `position`, and the position behind it.

    Raise DamageError for one that does not end within the data, or within 64 bits.
    """
    number = 0
    shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise DamageError("a number has no end")
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        # The highest bit says that another byte follows.
        if byte < 0x80:
            return number, position


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield a protocol buffer's fields in their order: the number, and an integer or bytes.

    Raise DamageError for a field of another kind, or one that does not end within the message.
    """
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        number = tag >> 3
        kind = tag & 7
        if kind == NUMBER:
            value, position = varint(message, position)
            yield number, value
            continue
        if kind == BYTES:
            size, position = varint(message, position)
        elif kind in FIXED_SIZES:
            size = FIXED_SIZES[kind]
        else:
            raise DamageError(f"it has a field of the unknown kind {kind}")
        # A slice would just be shorter.
        if position + size > len(message):
            raise DamageError("a field ends behind its message")
        part = message[position : position + size]
        yield number, part if kind == BYTES else int.from_bytes(part, "little")
        position += size


def signed(number: int) -> int:
    """Return the int64 whose two's complement, which protocol buffers store, is `number`."""
    if number >= 2**63:
        return number - 2**64
    return number


class Message:
    """A message's fields by number; one that is not there is 0, or an empty message, as protocol buffers have it."""

    def __init__(self, data: memoryview) -> None:
        self._fields: defaultdict[int, list[Value]] = defaultdict(list)
        for number, value in fields(data):
            self._fields[number].append(value)

    def __contains__(self, number: int) -> bool:
        """Return whether the message has a field with this number."""
        return number in self._fields

    def numbers(self, number: int) -> list[int]:
        """Return all values of a field that holds integers."""
        values = self._fields.get(number, [])
        return [signed(value) for value in values if isinstance(value, int)]

    def number(self, number: int) -> int:
        """Return the last value of a field that holds integers; 0 if it is not there."""
        values = self.numbers(number)
        return values[-1] if values else 0

    def parts(self, number: int) -> list[memoryview]:
        """Return all values of a field that holds bytes."""
        return [value for value in self._fields.get(number, []) if isinstance(value, memoryview)]

    def part(self, number: int) -> memoryview:
        """Return the last value of a field that holds bytes; empty if it is not there."""
        parts = self.parts(number)
        return parts[-1] if parts else memoryview(b"")

    def text(self, number: int) -> str:
        """Return the last value of a field that holds text."""
        return str(self.part(number), "utf-8")

    def messages(self, number: int) -> "list[Message]":
        """Return all values of a field that holds messages."""
        return [Message(part) for part in self.parts(number)]

    def message(self, number: int) -> "Message":
        """Return the last value of a field that holds messages; an empty one if it is not there."""
        return Message(self.part(number))


def unpack(packed: memoryview) -> np.ndarray:
    """Return the integers of a packed field, uint64 (N,). Raise DamageError if the last one has no end."""
    # All at once in NumPy: a variable may have millions of them.
    data = np.frombuffer(packed, np.uint8)
    # A byte whose highest bit is not set is the last one of its number.
    ends = np.flatnonzero(data < 0x80)
    if not data.size:
        return np.zeros(0, np.uint64)
    if not ends.size or ends[-1] != data.size - 1:
        raise DamageError("a number has no end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    # Each byte has 7 bits of its number, the lowest first.
    sizes = ends - starts + 1
    shifts = 7 * (np.arange(data.size) - np.repeat(starts, sizes))
    parts = (data & np.uint8(0x7F)).astype(np.uint64) << shifts.astype(np.uint64)
    return np.add.reduceat(parts, starts)
