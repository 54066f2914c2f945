"""Pure functions of an array and the one it should be. The last axis is the channel's."""

from dataclasses import dataclass

import numpy as np

Index = tuple[int, ...]


@dataclass(frozen=True)
class Distance:
    """How far an array lies from the truth, in absolute terms: L2 over all, L2 by channel, and the largest element."""

    l2: float
    by_channel: np.ndarray
    largest: float
    worst: Index


def distance(actual: np.ndarray, truth: np.ndarray) -> Distance:
    """The distance of `actual` from `truth`, both finite and of one shape (..., C), computed in float64."""
    difference = np.subtract(actual, truth, dtype=np.float64)
    rows = difference.reshape(-1, difference.shape[-1])
    by_channel = np.einsum("rc,rc->c", rows, rows)
    np.abs(difference, out=difference)
    worst = np.unravel_index(int(difference.argmax()), difference.shape)
    return Distance(
        float(np.sqrt(by_channel.sum())), np.sqrt(by_channel), float(difference[worst]), tuple(int(i) for i in worst)
    )


def norm(truth: np.ndarray) -> float:
    """L2 norm in float64."""
    return float(np.sqrt(np.einsum("i,i->", truth.ravel(), truth.ravel(), dtype=np.float64)))


def largest(truth: np.ndarray) -> float:
    """The largest absolute value."""
    return float(max(truth.max(), -truth.min()))


def exceeding(actual: np.ndarray, truth: np.ndarray, allowed: float) -> int:
    """How many elements differ by more than `allowed`."""
    return int(np.count_nonzero(np.abs(np.subtract(actual, truth, dtype=np.float64)) > allowed))


def values_per_channel(array: np.ndarray) -> int:
    return array.size // array.shape[-1]


def different_bits(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """A mask of the elements that are not the same number to the last bit; -0.0 and 0.0 are the same number."""
    bits = np.dtype(f"u{expected.dtype.itemsize}")
    different: np.ndarray = (actual + 0.0).view(bits) != (expected + 0.0).view(bits)
    return different
