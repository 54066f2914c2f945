"""What is wrong within a checkpoint's file, and the one error that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

import google_crc32c

from pnasnet_torch.errors import WeightsError

# kMaskDelta of tensorflow/core/lib/hash/crc32c.h.
MASK = 0xA282EAD8


class DamageError(ValueError):
    """Bytes that are not as they were written; who reads the file adds its name and the variable's."""


class UnsupportedError(ValueError):
    """Bytes that are as they were written, in a form that is not read here."""


@contextmanager
def naming(path: str, variable: str = "") -> Iterator[None]:
    """Turn whatever is wrong with a file into one WeightsError that names the file, and the variable."""
    try:
        yield
    # It has its names already, from a context within this one.
    except WeightsError:
        raise
    # A file whose checksums fit may still have been made to mislead: numbers out of range, text that is none.
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        where = f" (variable {variable})" if variable else ""
        if isinstance(error, UnsupportedError):
            raise WeightsError(f"{path}{where}: {error}") from error
        raise WeightsError(
            f"{path} is not a sound TensorFlow checkpoint{where}: {error}. Copy or download it again"
        ) from error


def crc32c(*parts: bytes | memoryview) -> int:
    """Return the CRC-32C (Castagnoli) of the parts one behind the other, the checksum of TensorFlow's checkpoints."""
    checksum = 0
    for part in parts:
        checksum = google_crc32c.extend(checksum, bytes(part))
    return checksum


def masked(crc: int) -> int:
    """Return a checksum as TensorFlow stores it, since checksums of checksums are of little worth."""
    # Rotated right by 15 bits, plus a constant.
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF


def check(stored: int, *parts: bytes | memoryview) -> None:
    """Raise DamageError unless the masked checksum of the parts is `stored`."""
    if masked(crc32c(*parts)) != stored:
        raise DamageError("its checksum does not fit: a bit has changed")
