"""Pixels as the official evaluation sees them, and clear words about files that are no images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tf_reference.errors import InputError
from tf_reference.official import Source
from tf_reference.preprocess import load_images

SIZES = [(331, 331), (224, 224), (97, 130)]
# Colour, grey, and colour with transparency.
MODES = ["RGB", "L", "RGBA"]


@pytest.fixture(scope="module")
def by_formula(tf: Any) -> Callable[[Path, int, int], np.ndarray]:
    """What prepares an image by the official evaluation's arithmetic, step by step, in eager TensorFlow."""

    def load(path: Path, height: int, width: int) -> np.ndarray:
        image = tf.image.convert_image_dtype(tf.io.decode_jpeg(path.read_bytes(), channels=3), tf.float32)
        image = tf.expand_dims(tf.image.central_crop(image, 0.875), 0)
        image = tf.compat.v1.image.resize_bilinear(image, [height, width], align_corners=False)
        pixels: np.ndarray = ((image - 0.5) * 2).numpy()
        return pixels

    return load


@pytest.mark.parametrize(("height", "width"), SIZES, ids=lambda size: str(size))
def test_equals_the_formula_bit_for_bit(
    height: int, width: int, source: Source, photographs: list[Path], by_formula: Callable[..., np.ndarray]
) -> None:
    pixels = load_images(source, photographs, height, width)
    assert pixels.shape == (2, height, width, 3)
    assert pixels.dtype == np.float32
    assert -1 <= pixels.min() < -0.5 < 0.5 < pixels.max() <= 1
    expected = np.concatenate([by_formula(path, height, width) for path in photographs])
    assert pixels.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("mode", MODES)
def test_formats_and_modes(
    kind: str, mode: str, source: Source, tmp_path: Path, by_formula: Callable[..., np.ndarray]
) -> None:
    """PNG is read like JPEG; grey becomes three equal channels, and transparency is left aside."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 61, 4), np.uint8)
    path = tmp_path / f"image.{kind}"
    Image.fromarray(noise).convert("RGB" if (mode, kind) == ("RGBA", "jpg") else mode).save(path)
    pixels = load_images(source, [path], 40, 30)
    assert pixels.tobytes() == by_formula(path, 40, 30).tobytes()
    assert (mode == "L") == bool((pixels[..., 0] == pixels[..., 2]).all())


def test_png_is_lossless(source: Source, tmp_path: Path) -> None:
    """At the crop's own size nothing is interpolated: each pixel is its byte, from -1 to 1."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    pixels = load_images(source, [tmp_path / "noise.png"], 56, 56)
    np.testing.assert_array_equal(np.round((pixels[0] + 1) * 127.5), noise[4:60, 4:60])


def test_images_do_not_depend_on_each_other(source: Source, photographs: list[Path]) -> None:
    both = load_images(source, photographs, 64, 64)
    for image, path in zip(both, photographs, strict=True):
        np.testing.assert_array_equal(image, load_images(source, [path], 64, 64)[0])


def spoil(kind: str, photograph: Path, path: Path) -> None:
    """Put something at `path` that is no image, or nothing."""
    content = photograph.read_bytes()
    spoilt = {"text": b"no image", "empty": b"", "truncated": content[: len(content) // 2], "header": content[:20]}
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(spoilt[kind])


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "header", "missing", "folder"])
def test_a_file_that_is_no_image_is_named(kind: str, source: Source, photographs: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    spoil(kind, photographs[0], path)
    message = "cannot be read" if kind in {"missing", "folder"} else "not a sound JPEG or PNG image"
    with pytest.raises(InputError, match=message) as caught:
        load_images(source, [photographs[0], path], 64, 64)
    assert str(path) in str(caught.value)


def test_a_checkout_of_networks_alone_is_completed(source: Source, photographs: list[Path], tmp_path: Path) -> None:
    """The preprocessing comes from the pinned source then."""
    checkout = Source(tmp_path, "networks alone")
    pixels = load_images(checkout, photographs, 64, 64)
    assert pixels.tobytes() == load_images(source, photographs, 64, 64).tobytes()
