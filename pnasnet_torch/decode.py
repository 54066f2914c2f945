"""Decoding as TensorFlow does by default, bit for bit: libjpeg-turbo, fast integer DCT, smooth upsampling; and PNG."""

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}
# Markers of a JPEG: scans, their kinds, the end; and in compressed data any marker but those of a restart.
START_OF_SCAN, SEQUENTIAL, PROGRESSIVE, APP14, END = 0xDA, (0xC0, 0xC1), (0xC2, 0xCA), 0xEE, 0xD9
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
# From so many values on TensorFlow refuses an image.
TOO_LARGE = 2**29


class ImageError(ValueError):
    """A file is no JPEG or PNG image, or not a whole one."""


def decode(content: bytes, accurate_dct: bool = False) -> np.ndarray:
    """A JPEG or PNG file's bytes as (H, W, 3), uint8, RGB; whatever its name, its first bytes tell which it is.

    Bit-identical to `tf.io.decode_jpeg(content, channels=3)`, or with `dct_method="INTEGER_ACCURATE"`: an EXIF
    orientation is ignored, transparency is left aside, and damage within a JPEG's compressed data, which TensorFlow
    overlooks, is overlooked too unless the file is progressive. Raises ImageError for any other file, and for one that
    is truncated.
    """
    kind = next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None)
    if kind == "JPEG":
        return _decode_jpeg(content, accurate_dct)
    if kind == "PNG":
        return _decode_png(content)
    raise ImageError(f"is not a JPEG or PNG image, but {kind or 'a file'} that starts with {content[:8]!r}")


def _decode_jpeg(content: bytes, accurate_dct: bool) -> np.ndarray:
    import simplejpeg

    options = {"fastdct": not accurate_dct, "fastupsample": False}
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
        components = {"Gray": 1, "CMYK": 4, "YCCK": 4}.get(colours, 3)
        if height * width * components >= TOO_LARGE:
            raise ValueError(f"{height}x{width} pixels are more than TensorFlow takes")
        if any(marker in PROGRESSIVE for marker, _ in _header(content)) and not _has_all_scans([*_segments(content)]):
            raise ValueError("it is progressive, and some of its scans are missing")
        space = "CMYK" if colours in ("CMYK", "YCCK") else "RGB"
        try:
            pixels = simplejpeg.decode_jpeg(content, space, **options)
        except ValueError as error:
            if not _is_mendable(content, str(error)):
                raise
            pixels = simplejpeg.decode_jpeg(content, space, **options, strict=False)
    except (ValueError, LookupError) as error:
        rare = " (a damaged header, or a rare kind: lossless, 4:1:0)" if "subsampling" in str(error) else ""
        raise ImageError(f"is not a sound JPEG image: {error}{rare}") from error
    if space == "RGB":
        return pixels
    # libjpeg takes no shorter one for Adobe's.
    adobe = any(marker == APP14 and held.startswith(b"Adobe") and len(held) >= 12 for marker, held in _header(content))
    return _rgb_from_cmyk(pixels, inverted=adobe)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """A JPEG's markers to its end, if it has one, each with what its segment holds; compressed data is passed over."""
    position = 2
    while found := MARKER.search(content, position):
        marker, start = content[found.start() + 1], found.end()
        length = 0 if marker == END else int.from_bytes(content[start : start + 2])
        yield marker, content[start + 2 : start + length]
        if marker == END:
            return
        position = start + max(length, 2)


def _header(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments before the first scan."""
    return takewhile(lambda segment: segment[0] != START_OF_SCAN, _segments(content))


def _is_mendable(content: bytes, problem: str) -> bool:
    """Whether a JPEG is damaged in its compressed data alone, in a way that TensorFlow decodes too.

    That is: one scan, sequential, with its end, and before that no marker at which libjpeg would give up; the decoder
    would then return what it has, and not say so.
    """
    markers = [marker for marker, _ in _segments(content)]
    if not problem.startswith("Corrupt JPEG data") or markers[-2:] != [START_OF_SCAN, END]:
        return False
    return markers.count(START_OF_SCAN) == 1 and any(marker in SEQUENTIAL for marker in markers)


def _has_all_scans(segments: Sequence[tuple[int, bytes]]) -> bool:
    """Whether the scans of a progressive JPEG bring every coefficient of every component to its last bit.

    Where one is missing, each version of libjpeg-turbo smooths in a way of its own.
    """
    frames = [segment for marker, segment in segments if marker in PROGRESSIVE]
    missing_bits: dict[tuple[int, int], int] = {}
    for scan in (segment for marker, segment in segments if marker == START_OF_SCAN):
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return False
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        missing_bits |= {(c, k): bits & 15 for c in scan[1 : 1 + 2 * count : 2] for k in range(first, last + 1)}
    needed = [(component, k) for frame in frames for component in frame[6::3] for k in range(64)]
    return not frames or all(missing_bits.get(each) == 0 for each in needed)


def _rgb_from_cmyk(cmyk: np.ndarray, inverted: bool) -> np.ndarray:
    """TensorFlow's own conversion (jpeg_mem.cc); Adobe's files hold the complement of each ink."""
    ink = cmyk.astype(np.uint16) if inverted else 255 - cmyk.astype(np.uint16)
    return (ink[..., :3] * ink[..., 3:] // 255).astype(np.uint8)


def _decode_png(content: bytes) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    _check_chunks(content)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.info.pop("transparency", None)
            if image.mode.startswith("I"):  # 16 bits of grey: TensorFlow drops the lower 8
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise ImageError("is not a sound PNG image: its header is damaged") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"is not a sound PNG image: {error}") from error


def _check_chunks(content: bytes) -> None:
    """Raises ImageError unless every chunk of a PNG, to the last, has its checksum; Pillow does not look at all."""
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(content[position : position + 4]), content[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(content):
            raise ImageError("is not a sound PNG image: it is truncated")
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise ImageError(f"is not a sound PNG image: the checksum of its chunk {kind!r} is wrong")
        position = end + 4
