"""PNGs of every colour type and bit depth, as `tf.io.decode_jpeg` decodes them: ImageNet names one of them .JPEG."""

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pnasnet_torch.decode import ImageError, decode

# Colour type of the PNG specification: channels, bit depths.
TYPES = {
    "grey": (0, 1, (1, 2, 4, 8, 16)),
    "colour": (2, 3, (8, 16)),
    "palette": (3, 1, (1, 2, 4, 8)),
    "grey with alpha": (4, 2, (8, 16)),
    "colour with alpha": (6, 4, (8, 16)),
}
CASES = [(name, depth) for name, (_, _, depths) in TYPES.items() for depth in depths]
# Of Adam7's passes: first column and row, and the steps.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def lines(values: np.ndarray, depth: int, rng: np.random.Generator) -> bytes:
    """Rows (H, W, C) as a PNG packs them, each behind a filter of random type: noise is noise under any."""
    if not values.size:
        return b""
    bits = (values.reshape(len(values), -1, 1) >> np.arange(depth)[::-1]) & 1
    packed = np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=1)
    return b"".join(bytes([rng.integers(5)]) + row.tobytes() for row in packed)


def png(seed: int, height: int, width: int, name: str, depth: int, interlaced: bool, transparent: bool) -> bytes:
    """Noise; the palette is as long as it may be, its transparency shorter."""
    rng, (colour, channels, _) = np.random.default_rng(seed), TYPES[name]
    values = rng.integers(0, 2**depth, (height, width, channels))
    passes = [values[y::dy, x::dx] for x, y, dx, dy in (PASSES if interlaced else ((0, 0, 1, 1),))]
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([depth, colour, 0, 0, interlaced])
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if name == "palette":
        content += chunk(b"PLTE", rng.bytes(3 * 2**depth))
    if transparent and name == "palette":
        content += chunk(b"tRNS", rng.bytes(2**depth - 1))
    elif transparent and "alpha" not in name:
        content += chunk(b"tRNS", values[0, 0].astype(">u2").tobytes())
    data = zlib.compress(b"".join(lines(part, depth, rng) for part in passes))
    return content + chunk(b"IDAT", data[:9]) + chunk(b"IDAT", data[9:]) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("name", "depth"), CASES)
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.booleans())
def test_png_files(
    tf: Any, name: str, depth: int, seed: int, height: int, width: int, interlaced: bool, transparent: bool
) -> None:
    content = png(seed, height, width, name, depth, interlaced, transparent)
    found = decode(content)
    assert found.shape == (height, width, 3)
    np.testing.assert_array_equal(found, tf.io.decode_jpeg(content, channels=3).numpy())


def on_black(image: Image.Image, mode: str) -> Image.Image:
    """A conversion that does not leave transparency aside."""
    return Image.merge(mode, CONVERT(image, "RGBa").split()[:3])


CONVERT = Image.Image.convert


def test_transparency_that_counts_is_found(tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(0, 20, 20, "colour with alpha", 8, False, False)
    expected = tf.io.decode_jpeg(content, channels=3).numpy()
    np.testing.assert_array_equal(decode(content), expected)
    monkeypatch.setattr(Image.Image, "convert", on_black)
    assert (decode(content) != expected).mean() > 0.9


def refused(content: bytes) -> bool:
    try:
        decode(content)
    except ImageError:
        return True
    return False


def refused_by_tensorflow(tf: Any, content: bytes) -> bool:
    try:
        tf.io.decode_jpeg(content, channels=3)
    except tf.errors.InvalidArgumentError:
        return True
    return False


@pytest.mark.parametrize(("name", "depth"), CASES)
def test_a_file_cut_anywhere_is_refused(tf: Any, name: str, depth: int) -> None:
    """By TensorFlow, and so by the port."""
    content = png(0, 9, 7, name, depth, False, True)
    assert all(refused(content[:size]) for size in range(len(content)))
    assert all(refused_by_tensorflow(tf, content[:size]) for size in range(len(content)))


@pytest.mark.parametrize(("name", "depth"), CASES)
def test_a_flipped_bit_that_tensorflow_refuses_is_refused(tf: Any, name: str, depth: int) -> None:
    """Most of them are: every chunk has a checksum."""
    content = png(0, 9, 7, name, depth, False, True)
    damaged = [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in range(len(content))]
    bad = [each for each in damaged if refused_by_tensorflow(tf, each)]
    assert len(bad) > len(damaged) / 2
    assert all(refused(each) for each in bad)
