"""Levels to PNG pictures, in colours that people with any colour vision tell apart."""

import base64
import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from parity.report.measure import LEVELS, NOT_FINITE

# Anchors of the palettes: values from dark blue over green to yellow (after viridis); differences from blue over a
# neutral grey, where there is none, to orange. What is not finite has a colour that is in neither.
VALUES = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
DIFFERENCES = ("053061", "2166ac", "4393c3", "92c5de", "e9e7e4", "fdb863", "e08214", "b35806", "7f3b08")
MISSING = "ff00a8"
THUMBNAIL = 112


@cache
def palette(anchors: tuple[str, ...]) -> bytes:
    """256 colours (RGB): one for each level, and the last for what is not finite."""
    colours = np.array([[int(anchor[part : part + 2], 16) for part in (0, 2, 4)] for anchor in anchors])
    places = np.linspace(0, len(anchors) - 1, LEVELS + 1)
    rows = np.stack([np.interp(places, range(len(anchors)), colours[:, part]) for part in range(3)], axis=1)
    assert len(rows) == NOT_FINITE
    return bytes(rows.round().astype(np.uint8).tobytes()) + bytes.fromhex(MISSING)


def png(levels: np.ndarray, anchors: tuple[str, ...]) -> str:
    """A picture (base64) of the levels (H, W), one pixel for each; its palette's index is the level."""
    image = Image.fromarray(levels)
    image.putpalette(palette(anchors))
    return _encoded(image, "PNG")


def thumbnail(image: np.ndarray) -> str:
    """A small JPEG (base64) of an image (H, W, 3) of bytes."""
    small = Image.fromarray(image)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _encoded(small, "JPEG")


def thumbnail_of(path: Path) -> str:
    """A small JPEG (base64) of the image file at `path`; empty where it cannot be read."""
    from pnasnet_torch.decode import ImageError, decode

    try:
        return thumbnail(decode(path.read_bytes()))
    except (ImageError, OSError):
        return ""


def _encoded(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
