"""How an array of a trace is stored, and what stands for its content."""

import hashlib

import numpy as np

# The types that integers in floating point are stored in, the smallest first.
NARROW = (np.int8, np.int16, np.int32)
# Values that are looked at first, before an array is gone through as a whole.
SAMPLE = 4096


def digest(array: np.ndarray) -> str:
    """Return the SHA-256 of dtype, shape and content."""
    sha256 = hashlib.sha256(f"{array.dtype} {array.shape} ".encode())
    if array.size:  # a view of nothing cannot be cast to bytes
        sha256.update(np.ascontiguousarray(array).data.cast("B"))
    return sha256.hexdigest()


def narrow(array: np.ndarray) -> np.ndarray:
    """Return the values in the smallest integer type from which they come back bit for bit; else `array` itself."""
    if array.dtype.kind != "f" or not array.size:
        return array
    first_values = array.ravel()[:SAMPLE]
    if not (first_values == np.rint(first_values)).all():
        return array
    largest = max(-float(array.min()), float(array.max()))
    fitting = [integer_type for integer_type in NARROW if largest <= np.iinfo(integer_type).max]
    if not fitting:
        return array
    integers = array.astype(fitting[0])
    # By their bits: -0.0 equals the 0.0 that it would come back as.
    bits = f"u{array.itemsize}"
    if np.array_equal(integers.astype(array.dtype).view(bits), array.view(bits)):
        return integers
    return array
