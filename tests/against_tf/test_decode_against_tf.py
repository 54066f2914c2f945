"""JPEGs of every kind, decoded bit for bit as by TensorFlow's default decoder."""

import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pnasnet_torch import decode as port
from pnasnet_torch.decode import decode
from pnasnet_torch.preprocess import preprocess
from tf_reference.official import Source
from tf_reference.preprocess import preprocessing

SIDES = st.integers(1, 60) | st.sampled_from([1, 2, 3, 127, 300])
SEEDS = st.integers(0, 2**32 - 1)
SAMPLINGS = ("444", "422", "420", "440", "411", "Gray")
# Orientation 6: to be turned by 90 degrees, which TensorFlow does not.
TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
# What Pillow writes: the mode, and how.
PILLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "progressive": ("RGB", {"progressive": True}),
    "progressive grey": ("L", {"progressive": True}),
    "progressive cmyk": ("CMYK", {"progressive": True}),
    "optimised": ("RGB", {"optimize": True}),
    "restart": ("RGB", {"restart_marker_blocks": 2}),
    "turned": ("RGB", {"exif": TURNED}),
    "rgb": ("RGB", {"keep_rgb": True}),
    "cmyk": ("CMYK", {}),
    "cmyk without marker": ("CMYK", {}),
}


def picture(seed: int, height: int, width: int, mode: str) -> Image.Image:
    """Spots of many pixels, with grain if the seed is odd: of plain noise a JPEG keeps little but clipping."""
    rng, channels = np.random.default_rng(seed), len(mode)
    spots = Image.fromarray(rng.integers(0, 256, (3, 4, 4), np.uint8), "CMYK").resize(
        (width, height), Image.Resampling.BILINEAR
    )
    grain = rng.integers(-20, 21, (height, width, 4)) * (seed % 2)
    values = (np.asarray(spots) + grain).clip(0, 255).astype(np.uint8)[..., :channels]
    return Image.fromarray(values[..., 0] if channels == 1 else np.ascontiguousarray(values), mode)


def jpeg(seed: int, height: int, width: int, kind: str, quality: int) -> bytes:
    """A file of a kind: one of SAMPLINGS, one of PILLOW, or ycck."""
    if kind in SAMPLINGS:
        return bytes(simplejpeg.encode_jpeg(np.array(picture(seed, height, width, "RGB")), quality, "RGB", kind))
    if kind == "ycck":
        inks = np.array(picture(seed, height, width, "CMYK"))
        return bytes(simplejpeg.encode_jpeg(inks, quality, "CMYK", SAMPLINGS[seed % 4]))
    mode, options = PILLOW[kind]
    if mode == "RGB" and kind != "rgb":
        options = {"subsampling": seed % 3, **options}
    buffer = io.BytesIO()
    picture(seed, height, width, mode).save(buffer, "JPEG", quality=quality, **options)
    content = buffer.getvalue()
    return without(content, b"\xff\xee") if kind == "cmyk without marker" else content


def without(content: bytes, marker: bytes) -> bytes:
    start = content.index(marker)
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]


def by_tensorflow(tf: Any, content: bytes, dct_method: str = "") -> np.ndarray:
    pixels: np.ndarray = tf.io.decode_jpeg(content, channels=3, dct_method=dct_method).numpy()
    return pixels


@pytest.mark.parametrize("kind", [*SAMPLINGS, *PILLOW, "ycck"])
@settings(max_examples=60)
@given(seed=SEEDS, height=SIDES, width=SIDES, quality=st.integers(1, 100), size=SIDES)
def test_jpeg_files(
    source: Source, tf: Any, kind: str, seed: int, height: int, width: int, quality: int, size: int
) -> None:
    """The whole chain from the bytes, and the decoder with the accurate DCT: 0 ULP."""
    content = jpeg(seed, height, width, kind, quality)
    evaluate = preprocessing(source)
    expected = evaluate(tf.io.decode_jpeg(content, channels=3), size, size).numpy()
    assert preprocess(decode(content), size, size).tobytes() == expected.tobytes()
    accurate = by_tensorflow(tf, content, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(decode(content, accurate_dct=True), accurate)


@pytest.mark.parametrize("accurate", [False, True], ids=["fast", "accurate"])
def test_an_overflow_in_the_dct_is_the_same(tf: Any, accurate: bool) -> None:
    """Coefficients far beyond what an encoder writes: 16-bit arithmetic wraps, and wraps alike."""
    content = bytearray(jpeg(1, 60, 60, "444", 100))
    for start in (index for index in range(len(content)) if content.startswith(b"\xff\xdb\0C", index)):
        content[start + 5 : start + 69] = b"\xff" * 64
    expected = by_tensorflow(tf, bytes(content), dct_method="INTEGER_ACCURATE" if accurate else "")
    np.testing.assert_array_equal(decode(bytes(content), accurate), expected)


def decode_with(**options: bool) -> Callable[..., np.ndarray]:
    """simplejpeg's decoder, with other options than asked for."""
    genuine = simplejpeg.decode_jpeg
    return lambda content, space, **asked: genuine(content, space, **(asked | options))


def rounded(cmyk: np.ndarray, inverted: bool) -> np.ndarray:
    ink = cmyk.astype(float) if inverted else 255 - cmyk.astype(float)
    return np.rint(ink[..., :3] * ink[..., 3:] / 255).astype(np.uint8)


def as_adobe(cmyk: np.ndarray, inverted: bool) -> np.ndarray:
    return GENUINE(cmyk, not inverted)


GENUINE = port._rgb_from_cmyk
FAULTS = {
    "accurate DCT": ("444", simplejpeg, "decode_jpeg", decode_with(fastdct=False)),
    "fast upsampling": ("420", simplejpeg, "decode_jpeg", decode_with(fastupsample=True)),
    "rounded inks": ("cmyk", port, "_rgb_from_cmyk", rounded),
    "inks of Adobe": ("cmyk without marker", port, "_rgb_from_cmyk", as_adobe),
}


@pytest.mark.parametrize(("kind", "module", "name", "value"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_decoder_is_found(
    tf: Any, monkeypatch: pytest.MonkeyPatch, kind: str, module: ModuleType, name: str, value: object
) -> None:
    content = jpeg(1, 50, 70, kind, 90)
    expected = by_tensorflow(tf, content)
    np.testing.assert_array_equal(decode(content), expected)
    monkeypatch.setattr(module, name, value)
    assert (decode(content) != expected).mean() > 0.02
