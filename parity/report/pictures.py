"""Levels to PNG pictures, in colours that people with any colour vision tell apart."""

import base64
import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from parity.report.measure import LEVELS, NOT_FINITE
from pnasnet_torch.decode import ImageError, decode

# Anchors of the palettes: values from dark blue over green to yellow (after viridis); differences from blue over a
# neutral grey, where there is none, to orange. What is not finite has a colour that is in neither.
VALUES = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
DIFFERENCES = ("053061", "2166ac", "4393c3", "92c5de", "e9e7e4", "fdb863", "e08214", "b35806", "7f3b08")
MISSING = "ff00a8"
# The longer side of a thumbnail, in pixels.
THUMBNAIL = 112


@cache
def palette(anchors: tuple[str, ...]) -> bytes:
    """Return 256 colours (RGB, 3 bytes each): one for each level, and the last for what is not finite."""
    anchors_rgb = np.array([list(bytes.fromhex(anchor)) for anchor in anchors])
    # The anchors lie evenly between the lowest level and the highest.
    places = np.linspace(0, len(anchors) - 1, LEVELS + 1)
    anchor_places = range(len(anchors))
    channels = [np.interp(places, anchor_places, channel) for channel in anchors_rgb.T]
    colours_rgb = np.stack(channels, axis=1).round().astype(np.uint8)
    # A colour's place is its level: MISSING comes behind them, at the place NOT_FINITE.
    assert len(colours_rgb) == NOT_FINITE
    return colours_rgb.tobytes() + bytes.fromhex(MISSING)


def png(levels: np.ndarray, anchors: tuple[str, ...]) -> str:
    """Return a PNG (base64) of levels (H, W; uint8), in the colours of a palette: one pixel for each level."""
    # With a palette a pixel stays the level, as an index, so that readers of report.json have the levels themselves.
    image = Image.fromarray(levels)
    image.putpalette(palette(anchors))
    return _encoded(image, "PNG")


def thumbnail(image: np.ndarray) -> str:
    """Return a small JPEG (base64) of an image (H, W, 3; uint8), in its proportions."""
    small = Image.fromarray(image)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _encoded(small, "JPEG")


def thumbnail_of(path: Path) -> str:
    """Return a small JPEG (base64) of the image file at `path`; an empty text where the file cannot be read."""
    try:
        return thumbnail(decode(path.read_bytes()))
    except (ImageError, OSError):
        return ""


def _encoded(image: Image.Image, kind: str) -> str:
    """Return the file of a picture in the format `kind`, as base64."""
    file = io.BytesIO()
    image.save(file, kind, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
