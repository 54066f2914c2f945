"""Table files, which both formats of checkpoints have: sorted keys and values in blocks, each with its checksum.

They are LevelDB's. Source: tensorflow/core/lib/io/table.cc, format.cc and block.cc.
"""

from collections.abc import Iterator

from pnasnet_torch.checkpoint.damage import DamageError, check
from pnasnet_torch.checkpoint.protobuf import varint

MAGIC = 0xDB4775248B80FB57
FOOTER, TRAILER = 48, 5
SNAPPY = 1


def read_table(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values in their order. Raises DamageError, before any that it concerns, if a byte is not as written."""
    if len(content) < FOOTER or int.from_bytes(content[-8:], "little") != MAGIC:
        raise DamageError("it does not end as such a file does: it is truncated, or of another format")
    footer = content[-FOOTER:-8]
    position, handles = 0, []
    for _ in ("of blocks about the table", "of blocks"):
        offset, position = varint(footer, position)
        size, position = varint(footer, position)
        handles.append((offset, size))
    if any(footer[position:]):
        raise DamageError("its last bytes are damaged")
    _block(content, *handles[0])
    for _, handle in _entries(_block(content, *handles[1])):
        offset, behind = varint(handle, 0)
        yield from _entries(_block(content, offset, varint(handle, behind)[0]))


def _block(content: memoryview, offset: int, size: int) -> memoryview:
    end = offset + size
    if end + TRAILER > len(content) - FOOTER:
        raise DamageError("it ends too early: it is truncated")
    check(int.from_bytes(content[end + 1 : end + TRAILER], "little"), content[offset : end + 1])
    if content[end]:
        kind = "Snappy" if content[end] == SNAPPY else f"method {content[end]}"
        raise DamageError(f"it is compressed ({kind}), which TensorFlow's own savers never do: save it again with them")
    return content[offset:end]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """A key is stored as how much it shares with the one before, and the rest."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = varint(block, position)
        rest, position = varint(block, position)
        size, position = varint(block, position)
        key = key[:shared] + bytes(block[position : position + rest])
        position += rest
        yield key, block[position : position + size]
        position += size
