"""Pure functions of an array and the one it should be. The last axis is the channel's."""

from dataclasses import dataclass

import numpy as np

Index = tuple[int, ...]


@dataclass(frozen=True)
class Distance:
    """How far an array lies from the truth, in absolute terms: L2 over all, L2 by channel, and the largest element.

    `effective` is by how many values a distance is carried: (sum of squares)^2 / sum of fourth powers. A thousand equal
    differences count as a thousand, one that outweighs all others as one.
    """

    l2: float
    effective: float
    by_channel: np.ndarray
    effective_by_channel: np.ndarray
    largest: float
    worst: Index


def distance(actual: np.ndarray, truth: np.ndarray) -> Distance:
    """The distance of `actual` from `truth`, of one shape (..., C), computed in float64."""
    with np.errstate(invalid="ignore"):  # infinite values: the distance is then not finite, and no check passes
        squares = np.subtract(actual, truth, dtype=np.float64)
        np.square(squares, out=squares)
        worst = tuple(int(i) for i in np.unravel_index(int(squares.argmax()), squares.shape))
        rows = squares.reshape(-1, squares.shape[-1])
        second, fourth = rows.sum(axis=0), np.einsum("rc,rc->c", rows, rows)
        return Distance(
            l2=float(np.sqrt(second.sum())),
            effective=float(_effective(second.sum(), fourth.sum())),
            by_channel=np.sqrt(second),
            effective_by_channel=_effective(second, fourth),
            largest=float(np.sqrt(squares[worst])),
            worst=worst,
        )


def _effective(second: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    """No distance at all is not a matter of chance: as if carried by infinitely many values."""
    none = np.full_like(second, np.inf)
    return np.divide(np.square(second), fourth, out=none, where=fourth > 0)


def independent_neighbourhoods(image: np.ndarray) -> float:
    """By how many of its 3x3 neighbourhoods an image (H, W, C) is carried: (how many)^2 / sum of squared repetitions.

    Equal ones are rounded alike in the first convolution and in much that follows. So one colour counts as one, however
    large it is; in a photograph hardly any two are equal.
    """
    random = np.random.default_rng(0)
    pixels = image.astype(np.float64) @ random.uniform(1, 2, image.shape[2])
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3))
    values = np.einsum("hwij,ij->hw", windows, random.uniform(1, 2, (3, 3)))
    _, counts = np.unique(values.round(9), return_counts=True)  # alike but for the rounding of this sum
    return float(values.size**2 / np.square(counts, dtype=np.float64).sum())


def norm(truth: np.ndarray) -> float:
    """L2 norm in float64."""
    return float(np.sqrt(np.einsum("i,i->", truth.ravel(), truth.ravel(), dtype=np.float64)))


def largest(truth: np.ndarray) -> float:
    """The largest absolute value."""
    return float(max(truth.max(), -truth.min()))


def exceeding(actual: np.ndarray, truth: np.ndarray, allowed: float) -> int:
    """How many elements differ by more than `allowed`."""
    return int(np.count_nonzero(np.abs(np.subtract(actual, truth, dtype=np.float64)) > allowed))


def different_bits(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """A mask of the elements that are not the same number to the last bit; -0.0 and 0.0 are the same number."""
    bits = np.dtype(f"u{expected.dtype.itemsize}")
    different: np.ndarray = (actual + 0.0).view(bits) != (expected + 0.0).view(bits)
    return different
