"""Measures of an array and of its distance from the truth: pure functions. The last axis is the channel's.

Differences and sums are computed in float64, whatever the arrays' own format: what they tell apart lies near a unit of
rounding of float32, and in float32 they would be rounded by as much themselves.
"""

from dataclasses import dataclass

import numpy as np

Index = tuple[int, ...]


@dataclass(frozen=True)
class Distance:
    """The distance of an array (..., C) from the truth, in absolute terms.

    `l2` is the L2 norm of all differences, `by_channel` (C,) that of each channel's, and `largest` the largest absolute
    difference, which is at the index `worst`. `effective` is by how many values the distance is carried: (sum of
    squares)^2 / sum of fourth powers; `effective_by_channel` (C,) the same of each channel's. A thousand equal
    differences count as a thousand, one that outweighs all others as one.
    """

    l2: float
    effective: float
    by_channel: np.ndarray
    effective_by_channel: np.ndarray
    largest: float
    worst: Index


def distance(actual: np.ndarray, truth: np.ndarray) -> Distance:
    """Return the distance of `actual` from `truth`, both of one shape (..., C)."""
    # Infinite values on both sides have no difference. The distance is not a number then, and no check passes.
    with np.errstate(invalid="ignore"):
        # Layers have up to hundreds of megabytes. This one array is all that is made of their size: the subtraction
        # converts to float64 as it goes, squares take the place of the differences, and einsum adds up the squares of
        # the squares without storing them.
        squares = np.subtract(actual, truth, dtype=np.float64)
        np.square(squares, out=squares)
        squares_by_channel = squares.reshape(-1, squares.shape[-1])
        second_powers = squares_by_channel.sum(axis=0)
        fourth_powers = np.einsum("rc,rc->c", squares_by_channel, squares_by_channel)
        position = int(squares.argmax())
        worst = tuple(int(i) for i in np.unravel_index(position, squares.shape))
        return Distance(
            l2=float(np.sqrt(second_powers.sum())),
            effective=float(_effective(second_powers.sum(), fourth_powers.sum())),
            by_channel=np.sqrt(second_powers),
            effective_by_channel=_effective(second_powers, fourth_powers),
            largest=float(np.sqrt(squares[worst])),
            worst=worst,
        )


def _effective(second_powers: np.ndarray, fourth_powers: np.ndarray) -> np.ndarray:
    """Return by how many values a distance is carried, from the sums of the differences' second and fourth powers."""
    # No distance at all is not a matter of chance: it counts as if infinitely many values carried it.
    infinite = np.full_like(second_powers, np.inf)
    # Values of 1e100, as a product in the place of a sum gives them, have no fourth powers: that is infinite, too.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.divide(np.square(second_powers), fourth_powers, out=infinite, where=fourth_powers > 0)


def independent_neighbourhoods(image: np.ndarray) -> float:
    """Return by how many of its 3x3 neighbourhoods an image (H, W, C) is carried.

    It is (how many)^2 / sum of squared repetitions. Equal neighbourhoods are rounded alike in the first convolution and
    in much that follows. So one colour counts as one, however large it is; in a photograph hardly any two are equal.
    """
    # Each neighbourhood becomes one number, a sum of its values with random weights: equal neighbourhoods have equal
    # sums, different ones different sums. Any weights do; the seed only makes them the same in every run.
    random = np.random.default_rng(0)
    pixels = image.astype(np.float64) @ random.uniform(1, 2, image.shape[2])
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3))
    values = np.einsum("hwij,ij->hw", windows, random.uniform(1, 2, (3, 3)))
    # Nine digits lie between the rounding of these sums (1e-14), which may part equal neighbourhoods, and what tells
    # different ones apart.
    _, repetitions = np.unique(values.round(9), return_counts=True)
    return float(values.size**2 / np.square(repetitions, dtype=np.float64).sum())


def norm(truth: np.ndarray) -> float:
    """Return the L2 norm of all values, added up in float64."""
    # einsum converts as it goes, where `astype` and `square` would each make another array of this size.
    return float(np.sqrt(np.einsum("i,i->", truth.ravel(), truth.ravel(), dtype=np.float64)))


def largest(truth: np.ndarray) -> float:
    """Return the largest absolute value."""
    # From both ends, since `abs` would make another array of this size.
    return float(max(truth.max(), -truth.min()))


def exceeding(actual: np.ndarray, truth: np.ndarray, allowed: float) -> int:
    """Return how many elements of `actual` differ from `truth` by more than `allowed`."""
    # Between two float32 arrays too: from 2^24 to -1 it is 2^24 + 1, which float32 does not hold.
    return int(np.count_nonzero(np.abs(np.subtract(actual, truth, dtype=np.float64)) > allowed))


def different_bits(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return a mask of the elements that are not the same number to the last bit; both arrays have one float dtype."""
    # As unsigned integers, bits are compared: "not a number" equals itself, and differs from one with another payload.
    bits = np.dtype(f"u{expected.dtype.itemsize}")
    # -0.0 and 0.0 are the same number with different bits; adding 0.0 turns the first into the second.
    different: np.ndarray = (actual + 0.0).view(bits) != (expected + 0.0).view(bits)
    return different
