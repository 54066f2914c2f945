"""The pictures of the small set: windows around places in photographs, stored as every kind of JPEG."""

import io
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from PIL import Image, ImageEnhance

from parity.core.specification import PHOTOGRAPHS
from pnasnet_torch.classes import WNIDS

# Places of a photograph, each of which is a class.
ROWS = 2
COLUMNS = 3
# Of pictures, width and height.
SIZES = ((500, 375), (375, 500), (500, 333), (400, 400))
# A picture's file, and its number in the set, on which the quality depends.
Kind = Callable[[Image.Image, int], bytes]


def windows(per_class: int, seed: int) -> Iterator[tuple[str, Image.Image]]:
    """Yield `per_class` pictures of each class, one class after the other, with the WordNet id of its class."""
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    places = list(product(photographs, range(ROWS), range(COLUMNS)))
    # Spread over the classes of ImageNet.
    wnids = WNIDS[3 :: len(WNIDS) // len(places)]
    for number, (path, row, column) in enumerate(places):
        with Image.open(path) as opened:
            photograph = opened.convert("RGB")
        # A generator for each class: its first pictures are the same, however many are asked for.
        rng = np.random.default_rng((seed, number))
        x = (column + 0.5) / COLUMNS
        y = (row + 0.5) / ROWS
        for _ in range(per_class):
            yield wnids[number], _window(photograph, x, y, rng)


def _window(photograph: Image.Image, x: float, y: float, rng: np.random.Generator) -> Image.Image:
    """Return a window around the place (x, y), in shares of the photograph, in one of SIZES and differently lit."""
    width = photograph.width * rng.uniform(0.35, 0.6)
    height = photograph.height * rng.uniform(0.35, 0.6)
    left = (photograph.width * (x + rng.normal(0, 0.09))) - width / 2
    top = (photograph.height * (y + rng.normal(0, 0.09))) - height / 2
    # Within the photograph.
    left = min(max(left, 0), photograph.width - width)
    top = min(max(top, 0), photograph.height - height)
    size = SIZES[rng.integers(len(SIZES))]
    window = photograph.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    window = ImageEnhance.Brightness(window).enhance(rng.uniform(0.6, 1.4))
    return ImageEnhance.Contrast(window).enhance(rng.uniform(0.6, 1.4))


def encode(picture: Image.Image, number: int) -> bytes:
    """Return the picture as a file, of a kind that its number in the set decides."""
    kind = KINDS[number % len(KINDS)]
    return kind(picture, number)


def _quality(number: int) -> int:
    """Return a JPEG's quality, from 75 to 95."""
    return 75 + number % 21


def _jpeg(picture: Image.Image, number: int, **options: object) -> bytes:
    """Return the picture as a JPEG by Pillow, with its `options`."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_quality(number), **options)
    return buffer.getvalue()


def _sampled(sampling: str, space: str = "RGB") -> Kind:
    """Return an encoder of JPEGs whose colours are stored with this sampling, such as 420."""

    def encode_sampled(picture: Image.Image, number: int) -> bytes:
        import simplejpeg

        pixels = np.ascontiguousarray(np.asarray(picture.convert(space)))
        return bytes(simplejpeg.encode_jpeg(pixels, _quality(number), space, sampling))

    return encode_sampled


def _png(picture: Image.Image, _number: int) -> bytes:
    """Return the picture as a PNG, which here is named .JPEG, as one file of ImageNet is."""
    buffer = io.BytesIO()
    picture.resize((160, 120)).save(buffer, "PNG")
    return buffer.getvalue()


def _turned(picture: Image.Image, number: int) -> bytes:
    """Return the picture as a JPEG that says to be turned by a quarter, which the official evaluation does not do."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the orientation: turned by a quarter
    return _jpeg(picture, number, exif=exif)


def _progressive(picture: Image.Image, number: int) -> bytes:
    return _jpeg(picture, number, progressive=True)


def _gray_and_progressive(picture: Image.Image, number: int) -> bytes:
    return _jpeg(picture.convert("L"), number, progressive=True)


def _with_restarts(picture: Image.Image, number: int) -> bytes:
    return _jpeg(picture, number, restart_marker_blocks=7)


def _optimised(picture: Image.Image, number: int) -> bytes:
    return _jpeg(picture, number, optimize=True, subsampling=0)


def _cmyk(picture: Image.Image, number: int) -> bytes:
    return _jpeg(picture.convert("CMYK"), number)


# Taken in turn, by the pictures' numbers. As on ImageNet, 4:2:0 is most common: Pillow stores so by itself.
KINDS: tuple[Kind, ...] = (
    _sampled("444"),
    _sampled("422"),
    _sampled("420"),
    _sampled("440"),
    _sampled("411"),
    _sampled("Gray"),
    _jpeg,
    _jpeg,
    _jpeg,
    _jpeg,
    _progressive,
    _gray_and_progressive,
    _with_restarts,
    _optimised,
    _cmyk,
    _sampled("420", "CMYK"),  # stored as Adobe's YCCK
    _turned,
    _png,
)
