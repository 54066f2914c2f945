"""Preprocessing bit for bit: from pixels, from files of every kind, damaged ones, and as a function with gradients."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from parity.options import PHOTOGRAPHS
from pnasnet_torch import preprocess as port
from pnasnet_torch.preprocess import Axis, ImageError, decode, load_image, preprocess, preprocess_batch
from tf_reference.official import Source
from tf_reference.preprocess import MODULE, load_images

Official = Callable[..., Any]
SIDES = st.integers(1, 60) | st.sampled_from([1, 2, 3, 127, 300])
FRACTIONS = st.sampled_from([0.875, 1.0, 0.5]) | st.floats(0.001, 1)
SAMPLINGS = ("444", "422", "420", "440", "411", "Gray")
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="session")
def official(source: Source) -> Official:
    """The official `preprocess_for_eval`, run at once."""
    found: Official = source.load(MODULE).preprocess_for_eval
    return found


def noise(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def smooth(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Noise of a few pixels' size: with plain noise a JPEG's rounding hides behind clipping."""
    small = Image.fromarray(noise(seed, 3, 4, channels), {3: "RGB", 4: "CMYK"}[channels])
    return np.ascontiguousarray(np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)))


@settings(max_examples=2500)
@given(SEEDS, SIDES, SIDES, SIDES, SIDES, FRACTIONS)
def test_pixels(
    official: Official, tf: Any, seed: int, height: int, width: int, rows: int, columns: int, fraction: float
) -> None:
    """Any image, any target, any central fraction: 0 ULP."""
    image = noise(seed, height, width)
    expected = official(tf.constant(image), rows, columns, central_fraction=fraction).numpy()
    assert preprocess(image, rows, columns, fraction).tobytes() == expected.tobytes()


def half_pixel(size: int, target: int, central_fraction: float) -> Axis:
    """The grid of today's tf.image.resize and of PyTorch."""
    axis = AXIS(size, target, central_fraction)
    shift = np.float32(0.5) * (np.float32(size) / np.float32(target)) - np.float32(0.5)
    return axis._replace(weight=np.clip(axis.weight + shift, 0, 1).astype(np.float32))


def shifted_crop(size: int, target: int, central_fraction: float) -> Axis:
    axis = AXIS(size, target, central_fraction)
    return axis._replace(lower=np.maximum(axis.lower - 1, 0), upper=np.maximum(axis.upper - 1, 0))


AXIS = port.resize_axis
FAULTS = {
    "grid": ("resize_axis", half_pixel),
    "crop": ("resize_axis", shifted_crop),
    "scale": ("SCALE", np.nextafter(np.float32(1 / 255), np.float32(1))),
}


@pytest.mark.parametrize(("name", "value"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_arithmetic_is_found(
    official: Official, tf: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    image = noise(0, 50, 70)
    expected = official(tf.constant(image), 31, 33).numpy().tobytes()
    assert preprocess(image, 31, 33).tobytes() == expected
    monkeypatch.setattr(port, name, value)
    assert preprocess(image, 31, 33).tobytes() != expected


def jpeg(seed: int, height: int, width: int, kind: str, quality: int) -> bytes:
    """A file of one of KINDS."""
    if kind in SAMPLINGS:
        return bytes(simplejpeg.encode_jpeg(smooth(seed, height, width), quality, "RGB", kind))
    if kind == "ycck":
        return bytes(simplejpeg.encode_jpeg(smooth(seed, height, width, 4), quality, "CMYK", SAMPLINGS[seed % 4]))
    buffer = io.BytesIO()
    inks = kind in ("cmyk", "cmyk without marker")
    image = Image.fromarray(smooth(seed, height, width, 4 if inks else 3), "CMYK" if inks else "RGB")
    image = image.convert("L") if kind == "progressive grey" else image
    exif = Image.Exif()
    exif[0x0112] = 1 + seed % 8
    more: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True, "subsampling": seed % 3},
        "progressive grey": {"progressive": True},
        "optimised": {"optimize": True},
        "restart": {"restart_marker_blocks": 1 + seed % 5, "subsampling": seed % 3},
        "turned": {"exif": exif},
        "rgb": {"keep_rgb": True},
    }
    image.save(buffer, "JPEG", quality=quality, **more.get(kind, {}))
    content = buffer.getvalue()
    return without_adobe(content) if kind == "cmyk without marker" else content


def without_adobe(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]


KINDS = (
    *(*SAMPLINGS, "ycck", "cmyk", "cmyk without marker", "progressive", "progressive grey", "optimised"),
    *("restart", "turned", "rgb"),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(seed=SEEDS, height=SIDES, width=SIDES, quality=st.integers(1, 100), size=SIDES)
def test_jpeg_files(
    official: Official, tf: Any, kind: str, seed: int, height: int, width: int, quality: int, size: int
) -> None:
    """The whole chain from the bytes, and the decoder with the accurate DCT: 0 ULP."""
    content = jpeg(seed, height, width, kind, quality)
    pixels = preprocess(decode(content), size, size)
    assert pixels.tobytes() == official(tf.io.decode_jpeg(content, channels=3), size, size).numpy().tobytes()
    accurate = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    np.testing.assert_array_equal(decode(content, accurate_dct=True), accurate)


def test_the_two_dct_methods_differ() -> None:
    """So that a decoder which mixes them up is found."""
    content = jpeg(0, 60, 60, "420", 75)
    assert (decode(content) != decode(content, accurate_dct=True)).mean() > 0.1


def png(mode: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(0, 21, 34, 4)).convert(mode).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(pytest.param(png(mode), id=mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        *(pytest.param(png("P", bits=bits), id=f"P{bits}") for bits in (1, 2, 4)),
        pytest.param(png("P", transparency=bytes(range(256))), id="P-transparent"),
        pytest.param(png("L", transparency=5), id="L-transparent"),
        pytest.param(png("RGB", transparency=(1, 2, 3)), id="RGB-transparent"),
        pytest.param(png("I;16"), id="I;16"),
    ],
)
def test_png_files(tf: Any, content: bytes) -> None:
    """As ImageNet has one, named .JPEG."""
    np.testing.assert_array_equal(decode(content), tf.io.decode_jpeg(content, channels=3).numpy())


def by_tensorflow(tf: Any, content: bytes) -> np.ndarray | None:
    try:
        pixels: np.ndarray = tf.io.decode_jpeg(content, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    return pixels


@pytest.mark.parametrize("kind", ["420", "progressive", "restart", "turned"])
@settings(max_examples=80)
@given(seed=SEEDS, share=st.floats(0, 1))
def test_truncated_files_are_refused(tf: Any, kind: str, seed: int, share: float) -> None:
    """Wherever the cut is: TensorFlow refuses them, and so does the port."""
    content = jpeg(seed, 45, 60, kind, 90)
    content = content[: min(int(share * len(content)), len(content) - 1)]
    assert by_tensorflow(tf, content) is None
    with pytest.raises(ImageError):
        decode(content)


@pytest.mark.parametrize("kind", ["420", "progressive", "restart"])
@settings(max_examples=300)
@given(seed=SEEDS, share=st.floats(0.4, 0.99), bit=st.integers(0, 7))
def test_damaged_files_are_decoded_alike_or_refused(tf: Any, kind: str, seed: int, share: float, bit: int) -> None:
    """A flipped bit of the compressed data: never are there pixels that TensorFlow does not give."""
    content = bytearray(jpeg(seed, 45, 60, kind, 90))
    content[int(share * len(content))] ^= 1 << bit
    try:
        found = decode(bytes(content))
    except ImageError:
        return
    expected = by_tensorflow(tf, bytes(content))
    assert expected is not None
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("more", [b"junk", bytes(100), jpeg(1, 9, 9, "420", 80)], ids=["junk", "zeros", "second"])
def test_what_follows_the_end_is_left_aside(tf: Any, more: bytes) -> None:
    content = jpeg(0, 45, 60, "420", 90) + more
    np.testing.assert_array_equal(decode(content), by_tensorflow(tf, content))


def test_damage_that_tensorflow_accepts_is_accepted(tf: Any) -> None:
    """A restart marker out of turn."""
    content = bytearray(jpeg(0, 60, 60, "restart", 90))
    content[content.index(b"\xff\xd2") + 1] = 0xD5
    np.testing.assert_array_equal(decode(bytes(content)), by_tensorflow(tf, bytes(content)))


@settings(max_examples=200)
@given(SEEDS, SIDES, SIDES, SIDES, SIDES, FRACTIONS)
def test_the_function_of_a_float_image(
    official: Official, tf: Any, seed: int, height: int, width: int, rows: int, columns: int, fraction: float
) -> None:
    """Images that are floating point already, from 0 to 1, in a batch."""
    images = np.random.default_rng(seed).random((2, height, width, 3), np.float32)
    found = preprocess_batch(torch.from_numpy(images).permute(0, 3, 1, 2), rows, columns, fraction)
    for image, pixels in zip(images, found.permute(0, 2, 3, 1), strict=True):
        expected = official(tf.constant(image), rows, columns, central_fraction=fraction).numpy()
        assert pixels.contiguous().numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize(("rows", "columns"), [(31, 17), (90, 70)], ids=["smaller", "larger"])
def test_gradients(official: Official, tf: Any, rows: int, columns: int) -> None:
    """With respect to the image; in float32 both sum the same few products, each in an order of its own."""
    image = np.random.default_rng(0).random((40, 50, 3), np.float32)
    weights = np.random.default_rng(1).normal(size=(rows, columns, 3)).astype(np.float32)
    value = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(value)
        loss = tf.reduce_sum(official(value, rows, columns) * weights)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].requires_grad_()
    (preprocess_batch(tensor, rows, columns)[0].permute(1, 2, 0) * torch.from_numpy(weights)).sum().backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    np.testing.assert_allclose(
        tensor.grad[0].permute(1, 2, 0).numpy(), tape.gradient(loss, value).numpy(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("size", [(331, 331), (323, 323), (224, 224), (97, 130)], ids=str)
def test_photographs(source: Source, size: tuple[int, int]) -> None:
    """Every photograph that comes with parity, at the networks' sizes."""
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    assert len(paths) == 4
    expected = load_images(source, paths, *size)
    assert np.stack([load_image(path, *size) for path in paths]).tobytes() == expected.tobytes()
