"""The preprocessing by itself: shapes, what it refuses, and that array and tensor give the same bits."""

import hashlib
import io
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import load_image, preprocess, preprocess_batch

SIDES = st.integers(1, 40)
# Of `picture` at 24x31, as TensorFlow computes them.
DIGEST = "618e454564b7618325753e5c136f8d47f419d5908abe065a7b894820b7cbc454"
# A JPEG of 20x26 pixels, 4:2:0.
SMALL_JPEG = b64decode(
    "/9j/2wBDADUlKC8oITUvKy88OTU/UIVXUElJUKN1e2GFwarLyL6qurfV8P//1eL/5re6////////////zv//////////////2wBDATk8PFBGUJ"
    "1XV53/3Lrc////////////////////////////////////////////////////////////////////wAARCAAUABoDASIAAhEBAxEB/8QAGAAA"
    "AwEBAAAAAAAAAAAAAAAAAAIDBAH/xAAbEAADAAIDAAAAAAAAAAAAAAAAAQIDEhETUf/EABgBAAMBAQAAAAAAAAAAAAAAAAECBAAF/8QAGREAAw"
    "EBAQAAAAAAAAAAAAAAAAECMRIh/9oADAMBAAIRAxEAPwDDMFJxlZgrOMVegmyM4xuo0KODur8C+VpRNiykVSSQAJGHPkaZRTVABowoR//Z"
)
# Of it at 13x17, as TensorFlow computes them with the fast and with the accurate DCT.
JPEG_DIGESTS = {
    False: "8a6d108cb0b85c60f01bf71171f229d83b5ed6284996a95593ea59a63d1cb1ad",
    True: "ab0e35bf661072e6b8c2c5dfd4f14b996d0623a98b6c8adb2cfd3ec81e544ed2",
}


def picture(height: int = 37, width: int = 53) -> np.ndarray:
    """A picture by formula, with fine structure in all channels."""
    y, x, c = np.mgrid[:height, :width, :3]
    return ((x * 7 + y * 13 + c * 91 + (x * y) % 17 * 11) % 256).astype(np.uint8)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, kind)
    return buffer.getvalue()


def test_shape_type_and_range() -> None:
    pixels = preprocess(picture(), 24, 31)
    assert pixels.shape == (24, 31, 3)
    assert pixels.dtype == np.float32
    assert -1 <= pixels.min() < -0.9 < 0.9 < pixels.max() <= 1


def test_the_bits_are_those_of_tensorflow() -> None:
    """Pinned, for where no TensorFlow is installed."""
    assert hashlib.sha256(preprocess(picture(), 24, 31).tobytes()).hexdigest() == DIGEST


@pytest.mark.parametrize("accurate", [False, True], ids=["fast", "accurate"])
def test_the_bits_of_a_file_are_those_of_tensorflow(accurate: bool, tmp_path: Path) -> None:
    (tmp_path / "photo.JPEG").write_bytes(SMALL_JPEG)
    pixels = load_image(tmp_path / "photo.JPEG", 13, 17, accurate_dct=accurate)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == JPEG_DIGESTS[accurate]


def test_at_the_crop_s_own_size_each_pixel_is_its_byte() -> None:
    image = picture(64, 48)
    pixels = preprocess(image, 56, 42)
    np.testing.assert_array_equal(np.round((pixels + 1) * 127.5), image[4:60, 3:45])


@given(st.data(), SIDES, SIDES, SIDES, SIDES, st.floats(0.3, 1))
def test_a_batch_gives_the_same_bits(
    data: st.DataObject, height: int, width: int, rows: int, columns: int, fraction: float
) -> None:
    seed = data.draw(st.integers(0, 1000))
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)
    batch = preprocess_batch(torch.from_numpy(images).permute(0, 3, 1, 2), rows, columns, fraction)
    expected = np.stack([preprocess(image, rows, columns, fraction) for image in images])
    assert batch.permute(0, 2, 3, 1).contiguous().numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_floating_point_keeps_its_type(dtype: torch.dtype) -> None:
    images = torch.rand(2, 3, 9, 7).to(dtype)
    pixels = preprocess_batch(images, 6, 4)
    assert (pixels.dtype, pixels.shape) == (dtype, (2, 3, 6, 4))
    torch.testing.assert_close(pixels.double(), preprocess_batch(images.double(), 6, 4), rtol=0, atol=0.02)


@pytest.mark.parametrize("floating", [False, True], ids=["uint8", "float"])
def test_the_memory_format_does_not_matter(floating: bool) -> None:
    images = torch.from_numpy(picture()).permute(2, 0, 1)[None].contiguous()
    images = images / 255 if floating else images
    other = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(preprocess_batch(other, 24, 31), preprocess_batch(images, 24, 31))


def test_gradients_are_those_of_the_function() -> None:
    images = torch.rand(1, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: preprocess_batch(values, 6, 4), (images,))


def test_the_layout_of_an_array_does_not_matter() -> None:
    """Fortran order, a view backwards, and one that cannot be written to, as Pillow gives."""
    image = picture()
    backwards, fixed = image[::-1, ::-1].copy()[::-1, ::-1], image.copy()
    fixed.flags.writeable = False
    for other in (np.asfortranarray(image), backwards, fixed):
        np.testing.assert_array_equal(preprocess(other, 9, 9), preprocess(image, 9, 9))


def test_many_threads_give_the_same_bits() -> None:
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda _: preprocess(decode(SMALL_JPEG), 13, 17).tobytes(), range(64))
    assert {hashlib.sha256(result).hexdigest() for result in results} == {JPEG_DIGESTS[False]}


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_a_bad_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"central_fraction .*: expected more than 0, at most 1"):
        preprocess(picture(), 9, 9, fraction)


def test_a_bad_target() -> None:
    with pytest.raises(ValueError, match="a target of 0 pixels: expected at least 1"):
        preprocess(picture(), 9, 0)


@pytest.mark.parametrize(
    ("height", "fraction", "message"),
    [(0, 1, "1 of 0 pixels leaves none"), (8, 1e-17, "1e-17 of 8 pixels leaves none")],
)
def test_a_crop_of_no_pixels(height: int, fraction: float, message: str) -> None:
    """What lies behind an empty array would be read."""
    image = np.zeros((height, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=message):
        preprocess(image, 9, 9, fraction)
    with pytest.raises(ValueError, match=message):
        preprocess_batch(torch.from_numpy(image).permute(2, 0, 1)[None], 9, 9, fraction)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_a_bad_array(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected an image \(H, W, 3\) of uint8, found"):
        preprocess(wrong, 9, 9)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, 3), torch.zeros(1, 3, 4, 4).int()])
def test_a_bad_tensor(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected images \(N, 3, H, W\), uint8 or floating, found"):
        preprocess_batch(wrong, 9, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "is not a JPEG or PNG image, but a file that starts with b''", id="empty"),
        pytest.param(b"no image", "starts with b'no image'", id="text"),
        pytest.param(encoded("GIF"), "is not a JPEG or PNG image, but GIF", id="gif"),
        pytest.param(encoded("BMP"), "is not a JPEG or PNG image, but BMP", id="bmp"),
        pytest.param(encoded("JPEG")[:-300], "is not a sound JPEG image: Premature end", id="cut-jpeg"),
        pytest.param(encoded("JPEG")[:30], "is not a sound JPEG image", id="jpeg-header"),
        pytest.param(encoded("PNG")[:-1], "is not a sound PNG image: it is truncated", id="cut-png"),
        pytest.param(
            encoded("PNG").replace(b"IDATx\x9c", b"IDATx\x9d"), "of its chunk b'IDAT' is wrong", id="png-check"
        ),
        pytest.param(encoded("PNG")[:40] + encoded("PNG")[90:], "is not a sound PNG image", id="holed-png"),
    ],
)
def test_a_file_that_is_no_whole_image_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.JPEG"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        load_image(path, 9, 9)
    assert str(caught.value).startswith(f"{path} ")
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.JPEG").mkdir()
    with pytest.raises(ImageError, match=r"photo\.JPEG cannot be read: No such file"):
        load_image(tmp_path / "photo.JPEG", 9, 9)
    with pytest.raises(ImageError, match=r"folder\.JPEG cannot be read: Is a directory"):
        load_image(tmp_path / "folder.JPEG", 9, 9)


def test_a_png_named_jpeg(tmp_path: Path) -> None:
    (tmp_path / "photo.JPEG").write_bytes(encoded("PNG"))
    np.testing.assert_array_equal(load_image(tmp_path / "photo.JPEG", 24, 31), preprocess(picture(), 24, 31))


def test_sixteen_bits_of_grey_keep_the_upper_eight() -> None:
    grey = np.random.default_rng(0).integers(0, 65536, (5, 7)).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    np.testing.assert_array_equal(decode(buffer.getvalue())[..., 1], grey >> 8)
