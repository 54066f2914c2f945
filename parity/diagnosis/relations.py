"""Recognisable relations between an array and the one it should be: what a difference looks like, in words.

Each is tried as a whole: `actual` has to follow from `expected` in every element, to rounding. Arrays are of any rank,
but relations that speak of pixels take maps (N, H, W, C), those of kernels (H, W, in, out).
"""

from collections.abc import Callable
from itertools import combinations, product

import numpy as np

# Takes what came and what was expected, of one shape; returns the relation in words, empty where it does not hold.
Relation = Callable[[np.ndarray, np.ndarray], str]
# How far, relative to the norm, a relation may miss: the roundings of one operation in the dtype.
TOLERANCE = {"float64": 1e-9, "float32": 1e-6}
# Up to so many values that differ are told one by one.
FEW = 16
# The largest kernels, of 7x7 pixels, reach so many pixels beyond the edge: as far in, another padding shows.
REACH = 3


def same(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether both are equal to rounding, as a whole; NaNs are equal to nothing."""
    if actual.shape != expected.shape:
        return False
    # Relative to the norm, not to each value: those that cancel out are no more exact than the others.
    difference = np.linalg.norm((actual - expected).ravel())
    return bool(difference <= TOLERANCE[str(expected.dtype)] * np.linalg.norm(expected.ravel()))


def describe(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words the first relation that holds; empty if both are the same or none holds."""
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if same(actual, expected):
        return ""
    if not np.isfinite(actual).all():
        return f"{np.count_nonzero(~np.isfinite(actual)):,} of {actual.size:,} values are not finite"
    for relation in RELATIONS:
        words = relation(actual, expected)
        if words:
            return words
    return ""


def _zero(actual: np.ndarray, _expected: np.ndarray) -> str:
    """Return `all zero` where nothing is left."""
    return "" if actual.any() else "all zero"


def _activation(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words which activation is too much or missing, or that the sign is the other one."""
    # Only where there is something to cut: a ReLU that changes nothing is no difference.
    if expected.min() < 0 and same(actual, np.maximum(expected, 0)):
        return "an extra ReLU"
    if actual.min() < 0 and same(np.maximum(actual, 0), expected):
        return "a missing ReLU"
    top = actual.max()
    if top < expected.max() and same(actual, np.minimum(expected, top)):
        return f"cut off at {top:.4g}"
    return "the negative of it" if same(actual, -expected) else ""


def _linear(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words by what all values are scaled and moved, both fitted by least squares."""
    # Without an offset first: what is scaled alone is then not told as off by a rounding.
    factor = _factor(actual, expected)
    if same(actual, factor * expected):
        return f"scaled by {factor:.6g}"
    slope = _factor(actual, expected - expected.mean())
    offset = float(actual.mean() - slope * expected.mean())
    # Without a slope all values would be one constant, which follows from anything.
    if not slope or not same(actual, (slope * expected + offset).astype(expected.dtype)):
        return ""
    if abs(slope - 1) > 1e-6:
        return f"scaled by {slope:.6g}, then off by {offset:.6g}"
    return f"off by {offset:.6g}"


def _factor(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the factor by which `expected` comes nearest to `actual`; 0 where it is all zero."""
    if not expected.any():
        return 0.0
    return float(np.vdot(expected, actual) / np.vdot(expected, expected))


def _dropout(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words how many of the values are left, and by what they are scaled."""
    is_left = (actual != 0) & (expected != 0)
    # Something has to be left, and something other than zero to be dropped.
    if is_left.all() or not is_left.any() or not expected[~is_left].any():
        return ""
    # All that is left has one factor, but for rounding, which the median evens out.
    factor = float(np.median(actual[is_left] / expected[is_left]))
    if not same(actual, expected * is_left * factor):
        return ""
    # Of those that could be dropped: zeros tell nothing.
    share = np.count_nonzero(is_left) / np.count_nonzero(expected)
    return f"{share:.0%} kept and scaled by {factor:.4g}: dropout"


def _axes(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words which axes are exchanged or reversed."""
    names = _axis_names(expected)
    for first, second in combinations(range(expected.ndim), 2):
        exchangeable = expected.shape[first] == expected.shape[second] > 1
        if exchangeable and same(actual, expected.swapaxes(first, second)):
            return f"transposed: {names[first]} and {names[second]} exchanged"
    # As few axes as explain it.
    for count in range(1, expected.ndim + 1):
        for axes in combinations(range(expected.ndim), count):
            if same(actual, np.flip(expected, axes)):
                flipped = [names[axis] for axis in axes]
                return f"flipped along {' and '.join(flipped)}"
    return ""


def _axis_names(array: np.ndarray) -> tuple[str, ...]:
    """Return what the axes are called, as far as the shape tells."""
    # A kernel: square, and no larger than 7x7, the largest of the network.
    if array.ndim == 4 and array.shape[0] == array.shape[1] <= 7:
        return ("rows", "columns", "inputs", "outputs")
    return {4: ("images", "rows", "columns", "channels"), 2: ("inputs", "outputs")}.get(array.ndim, ("channels",))


def _permuted(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words along which axis the same slices come in another order."""
    # Channels first, then the other axes.
    for axis, name in reversed(list(enumerate(_axis_names(expected)))):
        order = _order(np.moveaxis(actual, axis, 0), np.moveaxis(expected, axis, 0))
        if order is not None and same(actual, np.take(expected, order, axis)):
            moved = np.flatnonzero(order != np.arange(len(order)))
            return f"{name} permuted: {moved[0]} has the values of {order[moved[0]]} ({len(moved):,} are moved)"
    return ""


def _order(actual: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Return which slice of `expected` each slice (along the first axis) of `actual` may be; None if each its own.

    By their projections on a random direction, which hardly any two slices share: sorted, the projections of both pair
    the slices, without comparing each with each. Whether a pair is equal is for the caller to see.
    """
    # The seed is fixed, so that a run says the same again.
    direction = np.random.default_rng(0).uniform(1, 2, expected[0].size)
    # In float64, whose rounding leaves them apart.
    actual_projections = actual.reshape(len(actual), -1).astype(np.float64) @ direction
    expected_projections = expected.reshape(len(expected), -1).astype(np.float64) @ direction
    order = np.empty(len(actual), int)
    # Stable, so that slices that are equal among themselves stay where they are.
    order[np.argsort(actual_projections, kind="stable")] = np.argsort(expected_projections, kind="stable")
    return None if (order == np.arange(len(order))).all() else order


def _shifted(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words by how many pixels a map is moved, up to two along each axis, whatever came in at the edge."""
    # Of a smaller map too little is left to compare.
    if expected.ndim != 4 or min(expected.shape[1:3]) < 5:
        return ""
    for dy, dx in product(range(-2, 3), repeat=2):
        to_rows, from_rows = _overlap(dy)
        to_columns, from_columns = _overlap(dx)
        if (dy or dx) and same(actual[:, to_rows, to_columns], expected[:, from_rows, from_columns]):
            return f"shifted by {dy:+d} rows and {dx:+d} columns"
    return ""


def _overlap(offset: int) -> tuple[slice, slice]:
    """Return where the part of an axis that is still there after a shift lies, and where it comes from."""
    # None, not 0: a slice that ends at 0 is empty.
    there = slice(max(offset, 0), min(offset, 0) or None)
    here = slice(max(-offset, 0), min(-offset, 0) or None)
    return there, here


def _rounded(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words that the values went through float16, if so: to the last bit, since it is about rounding."""
    with np.errstate(over="ignore"):  # float16 ends at 65,504
        rounded = expected.astype(np.float16).astype(actual.dtype)
    if np.array_equal(actual, rounded):
        return "rounded to float16"
    return ""


def _few(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words how many elements are wrong, where it is a handful alone, and one of them."""
    # By the largest value, not by the norm, which grows with the number of values.
    wrong = np.argwhere(np.abs(actual - expected) > TOLERANCE[str(expected.dtype)] * np.abs(expected).max())
    # Of a small array a handful is no longer the exception.
    if not 0 < len(wrong) <= min(FEW, expected.size // 4):
        return ""
    index = tuple(wrong[0].tolist())
    return (
        f"{len(wrong)} of {actual.size:,} values, such as {list(index)}: {actual[index]:.6g}, not {expected[index]:.6g}"
    )


def _channels(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words how many channels are wrong, where it is a quarter at most, and one of them."""
    wrong = _wrong_slices(actual, expected, expected.ndim - 1)
    count = expected.shape[-1]
    if 0 < len(wrong) <= count // 4:
        return f"{len(wrong)} of {count:,} channels alone, such as {wrong[0]}"
    return ""


def _edges(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words at which edges a map is wrong, where it is right in the middle."""
    if expected.ndim != 4 or min(expected.shape[1:3]) < 5:
        return ""
    sides = []
    for axis, other_axis, first, last in ((1, 2, "top", "bottom"), (2, 1, "left", "right")):
        size = expected.shape[axis]
        # Without the edges of the other axis, or a wrong column would make every row wrong. Of small maps less is left
        # out, so that something is there to compare.
        left_out = REACH if expected.shape[other_axis] > 8 else 2
        index = [slice(None)] * 4
        index[other_axis] = slice(left_out, -left_out)
        wrong = _wrong_slices(actual[tuple(index)], expected[tuple(index)], axis)
        # On a small map less is near an edge, so that there is a middle to be right in.
        near = min(REACH, (size - 1) // 2)
        is_first = wrong < near
        is_last = wrong >= size - near
        if not (is_first | is_last).all():
            return ""
        if is_first.any():
            sides.append(first)
        if is_last.any():
            sides.append(last)
    return f"the {', '.join(sides)} edge alone: other padding" if sides else ""


def _wrong_slices(actual: np.ndarray, expected: np.ndarray, axis: int) -> np.ndarray:
    """Return the indices along `axis` at which any element is wrong, measured by the largest value of all."""
    other_axes = tuple(i for i in range(expected.ndim) if i != axis)
    largest = np.abs(actual - expected).max(axis=other_axes)
    return np.flatnonzero(largest > TOLERANCE[str(expected.dtype)] * np.abs(expected).max())


def _affine(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words by what each channel is scaled and moved, which is what wrong parameters of a batch norm do."""
    # (pixels, C), each channel fitted by least squares.
    pixels = actual.reshape(-1, actual.shape[-1])
    expected_pixels = expected.reshape(-1, expected.shape[-1])
    # A line goes through any two points.
    if len(pixels) < 3:
        return ""
    centred = expected_pixels - expected_pixels.mean(axis=0)
    mean = pixels.mean(axis=0)
    squares = np.square(centred).sum(axis=0)
    # A channel that is constant has no scale: it counts as not scaled.
    scale = np.divide((centred * pixels).sum(axis=0), squares, out=np.ones_like(squares), where=squares > 0)
    if not same(pixels, (centred * scale + mean).astype(expected.dtype)):
        return ""
    low, high = float(scale.min()), float(scale.max())
    if max(abs(low - 1), abs(high - 1)) < 1e-6:
        return "each channel off by a constant"
    return f"each channel scaled, by {low:.6g} to {high:.6g}, and off by a constant"


# The first that holds is told, so what says most comes first: all zeros are also scaled by 0, a flip is a permutation,
# and what is scaled as a whole, or wrong in some channels alone, may also be scaled channel by channel.
RELATIONS: tuple[Relation, ...] = (
    _zero,
    _rounded,
    _few,
    _activation,
    _linear,
    _dropout,
    _axes,
    _shifted,
    _permuted,
    _edges,
    _channels,
    _affine,
)
