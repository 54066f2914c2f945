"""Damaged JPEGs: what TensorFlow overlooks gives the same pixels or is refused, and nothing else is ever decoded."""

import io
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pnasnet_torch.decode import ImageError, decode

SEEDS = st.integers(0, 2**32 - 1)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("RGB", {"subsampling": 2}),
    "grey": ("L", {}),
    "progressive": ("RGB", {"progressive": True, "subsampling": 2}),
    "restart": ("RGB", {"restart_marker_blocks": 2}),
    "cmyk": ("CMYK", {}),
}


def picture(height: int, width: int, mode: str, seed: int) -> Image.Image:
    """Spots of many pixels."""
    spots = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (3, 4, 4), np.uint8), "CMYK")
    return spots.resize((width, height), Image.Resampling.BILINEAR).convert(mode)


def jpeg(kind: str, height: int, width: int, seed: int = 0) -> bytes:
    mode, options = KINDS[kind]
    buffer = io.BytesIO()
    picture(height, width, mode, seed).save(buffer, "JPEG", quality=80, **options)
    return buffer.getvalue()


def verdict(tf: Any, content: bytes) -> str:
    """How the port's answer compares to TensorFlow's."""
    try:
        expected = tf.io.decode_jpeg(content, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        expected = None
    try:
        found = decode(content)
    except ImageError:
        return "both refuse" if expected is None else "stricter"
    if expected is None:
        return "invented"
    return "same" if np.array_equal(found, expected) else "different"


# Never pixels that TensorFlow does not give.
SAFE = {"same", "both refuse", "stricter"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_refused(tf: Any, kind: str) -> None:
    """By TensorFlow, and so by the port."""
    content = jpeg(kind, 17, 20)
    assert {verdict(tf, content[:size]) for size in range(len(content))} == {"both refuse"}
    assert verdict(tf, content) == "same"


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("baseline", 0.75),
        ("restart", 0.75),
        ("cmyk", 0.75),
        ("progressive", 0.3),
    ],
)
def test_any_flipped_bit_is_harmless(tf: Any, kind: str, least: float) -> None:
    """Every bit of a file in turn: most of the damage that TensorFlow overlooks is decoded to the same pixels."""
    content = jpeg(kind, 17, 20)
    found = Counter(
        verdict(tf, content[:index] + bytes([content[index] ^ 1 << bit]) + content[index + 1 :])
        for index in range(len(content))
        for bit in range(8)
    )
    assert set(found) <= SAFE
    assert found["same"] > least * found.total()


def edited(content: bytes, edits: Sequence[tuple[str, float, int]]) -> bytes:
    """Some bytes changed, removed, or put in, or a marker put in; where, as a share of the file."""
    for how, share, value in edits:
        start = int(share * len(content))
        new = {"set": bytes([value]), "remove": b"", "insert": bytes([value]), "marker": bytes([0xFF, value])}[how]
        end = start + {"set": 1, "remove": 1 + value % 40, "insert": 0, "marker": 0}[how]
        content = content[:start] + new + content[end:]
    return content


HOW = st.sampled_from(["set", "remove", "insert", "marker"])
EDITS = st.lists(st.tuples(HOW, st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=400)
@given(seed=SEEDS, edits=EDITS)
def test_larger_damage_is_harmless(tf: Any, kind: str, seed: int, edits: list[tuple[str, float, int]]) -> None:
    assert verdict(tf, edited(jpeg(kind, 30, 40, seed), edits)) in SAFE


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
@pytest.mark.parametrize("more", [b"junk", bytes(100), jpeg("baseline", 9, 9)], ids=["junk", "zeros", "second"])
def test_what_follows_the_end_is_left_aside(tf: Any, more: bytes, kind: str) -> None:
    assert verdict(tf, jpeg(kind, 45, 60) + more) == "same"


@pytest.mark.parametrize("marker", [b"\xff\xd5", b"\xff\xd0", b"\0\0"], ids=["later", "earlier", "none"])
def test_a_wrong_restart_marker_is_overlooked(tf: Any, marker: bytes) -> None:
    assert verdict(tf, jpeg("restart", 60, 60).replace(b"\xff\xd2", marker, 1)) == "same"


def test_a_scan_that_ends_early_is_overlooked(tf: Any) -> None:
    """Half of the compressed data, then the end: TensorFlow fills up with grey."""
    content = jpeg("baseline", 60, 60)
    assert verdict(tf, content[: len(content) * 3 // 4] + b"\xff\xd9") == "same"


def scan_without_table() -> bytes:
    """A scan header with an odd parameter, of which libjpeg warns, and a Huffman table that is not there."""
    content = bytearray(jpeg("baseline", 9, 9))
    start = content.index(b"\xff\xda")
    content[start + 6] ^= 0x20
    content[start + 11] = 1
    return bytes(content)


def first_scan() -> bytes:
    """Of a progressive 4:2:0 file: valid, and smoothed by each version of libjpeg-turbo in a way of its own."""
    content = jpeg("progressive", 60, 60)
    scan = content.index(b"\xff\xda")
    end = min(content.index(marker, scan + 2) for marker in (b"\xff\xda", b"\xff\xc4"))
    return content[:end] + b"\xff\xd9"


def adobe_in_a_comment() -> bytes:
    """As an embedded thumbnail brings it: the file itself has no such marker."""
    content = jpeg("cmyk", 20, 20)
    return content[:2] + b"\xff\xfe\0\x12" + content[2:]


def sampled_4_4_1() -> bytes:
    """A luminance of 1x4 blocks, which simplejpeg has no name for."""
    return bytes(simplejpeg.encode_jpeg(np.array(picture(32, 32, "RGB", 0)), colorsubsampling="411")).replace(
        b"\x01\x41\0", b"\x01\x14\0", 1
    )


def too_large() -> bytes:
    """By its header: from 2**29 values on TensorFlow refuses, before it decodes."""
    content = jpeg("baseline", 20, 30)
    return content.replace(b"\0\x14\0\x1e\x03", struct.pack(">HHB", 13400, 13400, 3), 1)


def too_large_in_four_inks() -> bytes:
    content = jpeg("cmyk", 20, 30)
    return content.replace(b"\0\x14\0\x1e\x04", struct.pack(">HHB", 11600, 11600, 4), 1)


def adobe_behind_a_marker_without_length() -> bytes:
    content = jpeg("cmyk", 20, 20)
    return content[:2] + b"\xff\x01" + content[2:]


def adobe_too_short() -> bytes:
    """libjpeg wants the whole segment of 12 bytes."""
    content = jpeg("cmyk", 20, 20)
    return content[:2] + b"\xff\xee\0\x08Adobe\0" + content[18:]


def adobe_behind_the_scan() -> bytes:
    """Too late: TensorFlow has converted the inks by then."""
    content = jpeg("cmyk", 20, 20)
    return content[:2] + content[18:-2] + content[2:18] + content[-2:]


RARE = [
    *(scan_without_table, first_scan, adobe_in_a_comment, sampled_4_4_1, too_large, too_large_in_four_inks),
    *(adobe_behind_a_marker_without_length, adobe_too_short, adobe_behind_the_scan),
]


@pytest.mark.parametrize("make", RARE)
def test_rare_files_are_decoded_alike_or_refused(tf: Any, make: Callable[[], bytes]) -> None:
    assert verdict(tf, make()) in SAFE
