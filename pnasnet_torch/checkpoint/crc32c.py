"""CRC-32C (Castagnoli), by which TensorFlow's checkpoints prove that they are whole; eight bytes at a time."""

import numba
import numpy as np

POLYNOMIAL = np.uint32(0x82F63B78)
ROWS = 8


def _tables() -> np.ndarray:
    """(8, 256): row k is what a byte does to the checksum with k bytes behind it."""
    tables = np.zeros((ROWS, 256), np.uint32)
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = (row >> np.uint32(1)) ^ (POLYNOMIAL * (row & np.uint32(1)))
    tables[0] = row
    for k in range(1, ROWS):
        row = (row >> np.uint32(8)) ^ tables[0][row & np.uint32(0xFF)]
        tables[k] = row
    return tables


TABLES = _tables()


@numba.njit(nogil=True, cache=True)
def _update(crc: np.uint32, data: np.ndarray, tables: np.ndarray) -> np.uint32:
    whole = data.size - data.size % 8
    for i in range(0, whole, 8):
        low = crc ^ (
            np.uint32(data[i])
            | np.uint32(data[i + 1]) << np.uint32(8)
            | np.uint32(data[i + 2]) << np.uint32(16)
            | np.uint32(data[i + 3]) << np.uint32(24)
        )
        crc = (
            tables[7, low & 0xFF]
            ^ tables[6, (low >> 8) & 0xFF]
            ^ tables[5, (low >> 16) & 0xFF]
            ^ tables[4, (low >> 24) & 0xFF]
            ^ tables[3, data[i + 4]]
            ^ tables[2, data[i + 5]]
            ^ tables[1, data[i + 6]]
            ^ tables[0, data[i + 7]]
        )
    for i in range(whole, data.size):
        crc = tables[0, (crc ^ data[i]) & 0xFF] ^ np.uint32(crc >> 8)
    return np.uint32(crc)


def crc32c(*parts: bytes | memoryview) -> int:
    """The checksum of the parts one behind the other."""
    crc = np.uint32(0xFFFFFFFF)
    for part in parts:
        crc = np.uint32(_update(crc, np.frombuffer(part, np.uint8), TABLES))
    return int(crc) ^ 0xFFFFFFFF
