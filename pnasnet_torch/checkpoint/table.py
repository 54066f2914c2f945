"""Table files, which both formats of checkpoints have: sorted keys and values in blocks, each with its checksum.

They are LevelDB's. Source: tensorflow/core/lib/io/table.cc, format.cc and block.cc.
"""

from collections.abc import Iterator

from pnasnet_torch.checkpoint.damage import DamageError, UnsupportedError, check
from pnasnet_torch.checkpoint.protobuf import varint

# A table's last 8 bytes.
MAGIC = 0xDB4775248B80FB57
# Sizes (bytes): what a table ends with, and what stands behind each block, a byte for its compression and the checksum.
FOOTER, TRAILER = 48, 5
# The number of that compression.
SNAPPY = 1


def read_table(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the table's keys and values in their order.

    Raise DamageError, before any that it concerns, if a byte is not as written.
    """
    if len(content) < FOOTER or int.from_bytes(content[-8:], "little") != MAGIC:
        raise DamageError("it does not end as such a file does: it is truncated, or of another format")
    footer = content[-FOOTER:-8]
    about_offset, about_size, position = _handle(footer, 0)
    index_offset, index_size, position = _handle(footer, position)
    # The footer has a fixed size, and zeros behind the two handles. No checksum covers it.
    if any(footer[position:]):
        raise DamageError("its last bytes are damaged")
    # What the first of these blocks says about the table is not needed, but it has to be sound.
    _block(content, about_offset, about_size)
    for _, handle in _entries(_block(content, index_offset, index_size)):
        offset, size, _ = _handle(handle, 0)
        yield from _entries(_block(content, offset, size))


def _handle(data: memoryview, position: int) -> tuple[int, int, int]:
    """Return the offset and the size of the block that a handle at `position` points to, and the position behind it."""
    offset, position = varint(data, position)
    size, position = varint(data, position)
    return offset, size, position


def _block(content: memoryview, offset: int, size: int) -> memoryview:
    """Return the block of the table that begins at `offset`. Raise DamageError if it is not as it was written."""
    end = offset + size
    if end + TRAILER > len(content) - FOOTER:
        raise DamageError("it ends too early: it is truncated")
    # The checksum covers the byte that tells the compression, too.
    checksum = int.from_bytes(content[end + 1 : end + TRAILER], "little")
    check(checksum, content[offset : end + 1])
    if content[end]:
        kind = "Snappy" if content[end] == SNAPPY else f"method {content[end]}"
        raise UnsupportedError(
            f"it is compressed ({kind}), which TensorFlow's own savers never do: save it again with them"
        )
    return content[offset:end]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield a block's keys and values in their order."""
    # At a block's end stand the places at which a search may begin, and how many there are.
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    position = 0
    key = b""
    while position < end:
        shared, position = varint(block, position)
        rest, position = varint(block, position)
        size, position = varint(block, position)
        # A key is stored as how much it shares with the one before, and the rest.
        key = key[:shared] + bytes(block[position : position + rest])
        position += rest
        yield key, block[position : position + size]
        position += size
