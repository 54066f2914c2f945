"""Decoding as TensorFlow does by default, bit for bit: libjpeg-turbo, fast integer DCT, smooth upsampling; and PNG."""

import io
import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}
# Markers of a JPEG: a scan, the frame (its header) of each kind of file, Adobe's own segment, and the end.
START_OF_SCAN = 0xDA
SEQUENTIAL = (0xC0, 0xC1)
PROGRESSIVE = (0xC2, 0xCA)
APP14 = 0xEE
END = 0xD9
# Any marker but those of a restart, which stand in compressed data; there, a byte of 255 is followed by 0.
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
# The number of values (pixels times components) from which on TensorFlow refuses an image.
TOO_LARGE = 2**29


class ImageError(ValueError):
    """A file that is no JPEG or PNG image, or not a whole one."""


def decode(content: bytes, accurate_dct: bool = False) -> np.ndarray:
    """Return a JPEG or PNG file's bytes as (H, W, 3), uint8, RGB.

    Whatever the file's name is, its first bytes tell which of both it is.

    Bit-identical to `tf.io.decode_jpeg(content, channels=3)`, or with `dct_method="INTEGER_ACCURATE"`: an EXIF
    orientation is ignored, transparency is left aside, and damage within a JPEG's compressed data, which TensorFlow
    overlooks, is overlooked too unless the file is progressive. Raise ImageError for any other file, and for one that
    is truncated.
    """
    kind = ""
    for signature, name in SIGNATURES.items():
        if content.startswith(signature):
            kind = name
    if kind == "JPEG":
        return _decode_jpeg(content, accurate_dct)
    if kind == "PNG":
        return _decode_png(content)
    raise ImageError(f"is not a JPEG or PNG image, but {kind or 'a file'} that starts with {content[:8]!r}")


def _decode_jpeg(content: bytes, accurate_dct: bool) -> np.ndarray:
    """Return a JPEG's pixels (H, W, 3), uint8, RGB. Raise ImageError for one that is not sound."""
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
        components = {"Gray": 1, "CMYK": 4, "YCCK": 4}.get(colours, 3)
        if height * width * components >= TOO_LARGE:
            raise ValueError(f"{height}x{width} pixels are more than TensorFlow takes")
        is_progressive = any(marker in PROGRESSIVE for marker, _ in _header(content))
        if is_progressive and not _has_all_scans(list(_segments(content))):
            raise ValueError("it is progressive, and some of its scans are missing")
        # TensorFlow converts inks to colours by itself, and leaves the rest to libjpeg.
        space = "CMYK" if components == 4 else "RGB"
        pixels = _decode_sound_or_mendable(content, space, accurate_dct)
    except (ValueError, LookupError) as error:
        rare = " (a damaged header, or a rare kind: lossless, 4:1:0)" if "subsampling" in str(error) else ""
        raise ImageError(f"is not a sound JPEG image: {error}{rare}") from error
    if space == "RGB":
        return pixels
    return _rgb_from_cmyk(pixels, inverted=_is_adobe(content))


def _decode_sound_or_mendable(content: bytes, space: str, accurate_dct: bool) -> np.ndarray:
    """Return a JPEG's pixels in a colour space. Raise ValueError for damage that TensorFlow does not overlook."""
    import simplejpeg

    # TensorFlow's upsampling is the smooth one; its DCT is the fast one unless it is asked for the accurate one.
    options = {"fastdct": not accurate_dct, "fastupsample": False}
    try:
        return simplejpeg.decode_jpeg(content, space, **options)
    except ValueError as error:
        if not _is_mendable(content, str(error)):
            raise
        return simplejpeg.decode_jpeg(content, space, **options, strict=False)


def _is_adobe(content: bytes) -> bool:
    """Return whether a JPEG has Adobe's own segment before its first scan."""
    for marker, segment in _header(content):
        # libjpeg takes no shorter one for Adobe's.
        if marker == APP14 and segment.startswith(b"Adobe") and len(segment) >= 12:
            return True
    return False


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield a JPEG's markers to its end, if it has one, each with what its segment holds.

    Compressed data is passed over.
    """
    position = 2
    while match := MARKER.search(content, position):
        marker = content[match.start() + 1]
        start = match.end()
        # A segment's length counts its own two bytes; the end has no segment.
        length = 0 if marker == END else int.from_bytes(content[start : start + 2])
        yield marker, content[start + 2 : start + length]
        if marker == END:
            return
        # Behind the two bytes of the length, even where a damaged one says less.
        position = start + max(length, 2)


def _header(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments before the first scan, without a look at the compressed data behind it."""
    for marker, segment in _segments(content):
        if marker == START_OF_SCAN:
            return
        yield marker, segment


def _is_mendable(content: bytes, problem: str) -> bool:
    """Return whether a JPEG is damaged in its compressed data alone, in a way that TensorFlow decodes too.

    That is: one scan, sequential, with its end, and before that no marker at which libjpeg would give up; the decoder
    would then return what it has, and not say so.
    """
    markers = [marker for marker, _ in _segments(content)]
    if not problem.startswith("Corrupt JPEG data") or markers[-2:] != [START_OF_SCAN, END]:
        return False
    return markers.count(START_OF_SCAN) == 1 and any(marker in SEQUENTIAL for marker in markers)


def _has_all_scans(segments: Sequence[tuple[int, bytes]]) -> bool:
    """Return whether the scans of a progressive JPEG bring every coefficient of every component to its last bit.

    Where one is missing, each version of libjpeg-turbo smooths in a way of its own.
    """
    frames = [segment for marker, segment in segments if marker in PROGRESSIVE]
    scans = [segment for marker, segment in segments if marker == START_OF_SCAN]
    # By component and coefficient: how many of the lowest bits the scans up to now leave away.
    missing_bits: dict[tuple[int, int], int] = {}
    for scan in scans:
        # How many components; two bytes for each, of which the first names it; the first and the last coefficient; and
        # a byte whose lower half is the number of bits that are left away.
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return False
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        for component in scan[1 : 1 + 2 * count : 2]:
            for coefficient in range(first, last + 1):
                missing_bits[component, coefficient] = bits & 15
    for frame in frames:
        # Behind 6 bytes (precision, size, how many components) come three for each, of which the first names it.
        for component in frame[6::3]:
            for coefficient in range(64):
                if missing_bits.get((component, coefficient)) != 0:
                    return False
    return True


def _rgb_from_cmyk(cmyk: np.ndarray, inverted: bool) -> np.ndarray:
    """Return inks (H, W, 4), uint8, as RGB (H, W, 3), uint8, by TensorFlow's own conversion (jpeg_mem.cc).

    Adobe's files hold the complement of each ink, and are `inverted`.
    """
    # 16 bits hold the product of two values.
    ink = cmyk.astype(np.uint16) if inverted else 255 - cmyk.astype(np.uint16)
    return (ink[..., :3] * ink[..., 3:] // 255).astype(np.uint8)


def _decode_png(content: bytes) -> np.ndarray:
    """Return a PNG's pixels (H, W, 3), uint8, RGB. Raise ImageError for one that is not sound."""
    from PIL import Image, UnidentifiedImageError

    _check_chunks(content)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            # As TensorFlow, which leaves transparency aside.
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
    """Raise ImageError unless every chunk of a PNG, to the last, has its checksum; Pillow does not look at all."""
    # Behind the signature.
    position = 8
    kind = b""
    while kind != b"IEND":
        # The length of the data, the kind, the data, and the checksum of both.
        length = int.from_bytes(content[position : position + 4])
        kind = content[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(content):
            raise ImageError("is not a sound PNG image: it is truncated")
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise ImageError(f"is not a sound PNG image: the checksum of its chunk {kind!r} is wrong")
        position = end + 4
