"""Checkpoints and their parts; that TensorFlow's own are read as TensorFlow does is tested in tests/against_tf."""

from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnasnet_torch.archive import folder_files
from pnasnet_torch.checkpoint import Files, files_of, prefixes, read_checkpoint
from pnasnet_torch.checkpoint.damage import DamageError, UnsupportedError, crc32c
from pnasnet_torch.checkpoint.protobuf import Message, fields, unpack, varint
from pnasnet_torch.checkpoint.table import read_table
from pnasnet_torch.checkpoint.tensor import FULL, Slice, Tensor
from pnasnet_torch.errors import WeightsError

MakeTable = Callable[..., bytes]
V2 = ("a.ckpt.index", "a.ckpt.data-00000-of-00002", "a.ckpt.data-00001-of-00002", "a.ckpt.meta")


@pytest.mark.parametrize(
    ("content", "checksum"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_checksums_are_the_published_ones(content: bytes, checksum: int) -> None:
    """RFC 3720, B.4."""
    assert crc32c(content) == checksum
    assert crc32c(content[:3], content[3:]) == checksum


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (V2, ["a.ckpt"]),
        (("deep/a.index", "deep/a.data-00000-of-00001", "checkpoint", "notes.txt"), ["deep/a"]),
        (("model.ckpt", "b.ckpt-1200", "graph.pb"), ["b.ckpt-1200", "model.ckpt"]),
        (("b.ckpt-00000-of-00002", "b.ckpt-00001-of-00002"), ["b.ckpt"]),
        (("a.ckpt.data-00000-of-00001", "a.ckpt.meta"), []),
    ],
)
def test_checkpoints_are_found_by_their_files_names(names: Collection[str], expected: list[str]) -> None:
    assert prefixes(names) == expected


def test_the_files_of_one_checkpoint() -> None:
    assert files_of([*V2, "other.index"], "a.ckpt") == [*V2[:3]]
    assert files_of(["a.ckpt", "b.ckpt", "b.ckpt.index"], "a.ckpt") == ["a.ckpt"]
    assert files_of(["b.ckpt", "b.ckpt.index"], "b.ckpt") == ["b.ckpt.index"]


def test_what_is_no_checkpoint_is_refused() -> None:
    said = "there is no checkpoint folder/b.ckpt: no b.ckpt, and no b.ckpt.index; there is a.ckpt"
    with pytest.raises(WeightsError, match=said):
        read_checkpoint(Files("folder", V2, lambda _: BytesIO()), "b.ckpt")


def test_a_written_checkpoint_is_read(
    tmp_path: Path, write_v2: Callable[[Path, Mapping[str, np.ndarray]], None]
) -> None:
    values = {"b": np.array([[1, 2]], np.float32), "a/c": np.array(3, np.float32)}
    write_v2(tmp_path / "m", values)
    found = read_checkpoint(folder_files(tmp_path), "m")
    assert found.version == "V2"
    assert {name: array.tolist() for name, array in found.state.arrays.items()} == {"b": [[1, 2]], "a/c": 3}


def test_compression_is_named(make_table: MakeTable) -> None:
    with pytest.raises(UnsupportedError, match="compressed"):
        list(read_table(memoryview(make_table([(b"key", b"value")], 1))))


@given(row=st.integers(0, 200), bit=st.integers(0, 7))
def test_every_bit_of_a_table_counts(make_table: MakeTable, row: int, bit: int) -> None:
    content = bytearray(make_table([(b"key", b"value"), (b"other", b"")]))
    content[row % len(content)] ^= 1 << bit
    with pytest.raises(DamageError):
        list(read_table(memoryview(content)))


@pytest.mark.parametrize("content", [b"\x80", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11])
def test_messages_that_end_too_early_or_are_none(content: bytes) -> None:
    with pytest.raises(DamageError):
        list(fields(memoryview(content)))


def test_a_field_that_is_not_there_is_zero_or_empty() -> None:
    message = Message(memoryview(b""))
    assert (message.number(3), bytes(message.part(3)), message.messages(3)) == (0, b"", [])


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_numbers(numbers: list[int]) -> None:
    packed = b"".join(
        bytes(
            [
                number >> 7 * k & 0x7F | 0x80 * (number >> 7 * (k + 1) > 0)
                for k in range(-(-number.bit_length() // 7) or 1)
            ]
        )
        for number in numbers
    )
    assert unpack(memoryview(packed)).tolist() == numbers
    if packed:
        assert varint(memoryview(packed), 0)[0] == numbers[0]
        with pytest.raises(DamageError, match="no end"):
            unpack(memoryview(packed + b"\x80"))


ALL = (0, FULL)


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([((0, 1), ALL)], r"2 of its 4 values \(2, 2\) are there"),
        ([((0, 1), ALL), ((0, 1), ALL)], "twice"),
        ([((0, 3), ALL), ((0, 1), ALL)], "8 of its 4"),
    ],
)
def test_pieces_that_are_not_the_whole(pieces: list[Slice], said: str) -> None:
    rows = [(axes, np.ones(2 * max(axes[0][1], 1), np.float32)) for axes in pieces]
    with pytest.raises(DamageError, match=said):
        Tensor((2, 2), np.dtype(np.float32), rows).whole()
