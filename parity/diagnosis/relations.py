"""Recognisable relations between an array and the one it should be: what a difference looks like, in words.

Each is tried as a whole: `actual` has to follow from `expected` in every element, to rounding. Arrays of any rank, but
those that speak of pixels take maps (N, H, W, C); those of kernels (H, W, in, out).
"""

from collections.abc import Callable
from itertools import combinations, product

import numpy as np

Relation = Callable[[np.ndarray, np.ndarray], str]
# How far, relative to the norm, a relation may miss: the roundings of one operation in the dtype.
TOLERANCE = {"float64": 1e-9, "float32": 1e-6}
FEW = 16


def same(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Whether both are equal to rounding; NaNs are equal to nothing."""
    if actual.shape != expected.shape:
        return False
    difference = np.linalg.norm((actual - expected).ravel())
    return bool(difference <= TOLERANCE[str(expected.dtype)] * np.linalg.norm(expected.ravel()))


def describe(actual: np.ndarray, expected: np.ndarray) -> str:
    """The first relation that holds, in words; empty if both are the same or none holds."""
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if same(actual, expected):
        return ""
    if not np.isfinite(actual).all():
        return f"{np.count_nonzero(~np.isfinite(actual)):,} of {actual.size:,} values are not finite"
    return next((words for relation in RELATIONS if (words := relation(actual, expected))), "")


def _zero(actual: np.ndarray, _expected: np.ndarray) -> str:
    return "" if actual.any() else "all zero"


def _activation(actual: np.ndarray, expected: np.ndarray) -> str:
    if expected.min() < 0 and same(actual, np.maximum(expected, 0)):
        return "an extra ReLU"
    if actual.min() < 0 and same(np.maximum(actual, 0), expected):
        return "a missing ReLU"
    top = actual.max()
    if top < expected.max() and same(actual, np.clip(expected, min(expected.min(), 0), top)):
        return f"cut off at {top:.4g}"
    return "the negative of it" if same(actual, -expected) else ""


def _linear(actual: np.ndarray, expected: np.ndarray) -> str:
    factor = float(np.vdot(expected, actual) / np.vdot(expected, expected)) if expected.any() else 0.0
    if same(actual, factor * expected):
        return f"scaled by {factor:.6g}"
    centred = expected - expected.mean()
    slope = float(np.vdot(centred, actual) / np.vdot(centred, centred)) if centred.any() else 0.0
    offset = float(actual.mean() - slope * expected.mean())
    if not slope or not same(actual, (slope * expected + offset).astype(expected.dtype)):
        return ""
    return f"scaled by {slope:.6g}, then off by {offset:.6g}" if abs(slope - 1) > 1e-6 else f"off by {offset:.6g}"


def _dropout(actual: np.ndarray, expected: np.ndarray) -> str:
    kept = (actual != 0) & (expected != 0)
    if kept.all() or not kept.any() or not expected[~kept].any():
        return ""
    factor = float(np.median(actual[kept] / expected[kept]))
    share = np.count_nonzero(kept) / np.count_nonzero(expected)
    return f"{share:.0%} kept and scaled by {factor:.4g}: dropout" if same(actual, expected * kept * factor) else ""


def _axes(actual: np.ndarray, expected: np.ndarray) -> str:
    """Exchanged or reversed axes."""
    names = _axis_names(expected)
    for one, other in combinations(range(expected.ndim), 2):
        alike = expected.shape[one] == expected.shape[other] > 1
        if alike and same(actual, expected.swapaxes(one, other)):
            return f"transposed: {names[one]} and {names[other]} exchanged"
    for count in range(1, expected.ndim + 1):
        for axes in combinations(range(expected.ndim), count):
            if same(actual, np.flip(expected, axes)):
                return f"flipped along {' and '.join(names[axis] for axis in axes)}"
    return ""


def _axis_names(array: np.ndarray) -> tuple[str, ...]:
    if array.ndim == 4 and array.shape[0] == array.shape[1] <= 7:
        return ("rows", "columns", "inputs", "outputs")
    return {4: ("images", "rows", "columns", "channels"), 2: ("inputs", "outputs")}.get(array.ndim, ("channels",))


def _permuted(actual: np.ndarray, expected: np.ndarray) -> str:
    """The same slices along one axis, in another order."""
    for axis, name in reversed(list(enumerate(_axis_names(expected)))):
        order = _order(np.moveaxis(actual, axis, 0), np.moveaxis(expected, axis, 0))
        if order is not None and same(actual, np.take(expected, order, axis)):
            moved = [int(i) for i in np.flatnonzero(order != np.arange(len(order)))]
            return f"{name} permuted: {moved[0]} has the values of {order[moved[0]]} ({len(moved):,} are moved)"
    return ""


def _order(actual: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Which slice of `expected` each slice of `actual` may be, by their projections on a random direction."""
    direction = np.random.default_rng(0).uniform(1, 2, expected[0].size)
    mine, theirs = (array.reshape(len(array), -1).astype(np.float64) @ direction for array in (actual, expected))
    order = np.empty(len(mine), int)
    order[np.argsort(mine, kind="stable")] = np.argsort(theirs, kind="stable")
    return None if (order == np.arange(len(order))).all() else order


def _shifted(actual: np.ndarray, expected: np.ndarray) -> str:
    """A map moved by a pixel or two, whatever came in at the edge."""
    if expected.ndim != 4 or min(expected.shape[1:3]) < 5:
        return ""
    for dy, dx in product(range(-2, 3), repeat=2):
        (to_y, from_y), (to_x, from_x) = _overlap(dy), _overlap(dx)
        if (dy or dx) and same(actual[:, to_y, to_x], expected[:, from_y, from_x]):
            return f"shifted by {dy:+d} rows and {dx:+d} columns"
    return ""


def _overlap(offset: int) -> tuple[slice, slice]:
    """Where a shifted side lies, and where it comes from."""
    there, here = slice(max(offset, 0), min(offset, 0) or None), slice(max(-offset, 0), min(-offset, 0) or None)
    return there, here


def _rounded(actual: np.ndarray, expected: np.ndarray) -> str:
    with np.errstate(over="ignore"):
        return "rounded to float16" if np.array_equal(actual, expected.astype(np.float16).astype(actual.dtype)) else ""


def _few(actual: np.ndarray, expected: np.ndarray) -> str:
    """A handful of elements alone."""
    wrong = np.argwhere(np.abs(actual - expected) > TOLERANCE[str(expected.dtype)] * np.abs(expected).max())
    if not 0 < len(wrong) <= min(FEW, expected.size // 4):
        return ""
    index = tuple(int(i) for i in wrong[0])
    return (
        f"{len(wrong)} of {actual.size:,} values, such as {list(index)}: {actual[index]:.6g}, not {expected[index]:.6g}"
    )


def _channels(actual: np.ndarray, expected: np.ndarray) -> str:
    """Some channels alone."""
    wrong = _wrong_slices(actual, expected, expected.ndim - 1)
    count = expected.shape[-1]
    if 0 < len(wrong) <= count // 4:
        return f"{len(wrong)} of {count:,} channels alone, such as {wrong[0]}"
    return ""


def _edges(actual: np.ndarray, expected: np.ndarray) -> str:
    """Rows and columns at the edge alone."""
    if expected.ndim != 4 or min(expected.shape[1:3]) < 5:
        return ""
    sides = []
    for axis, (first, last) in ((1, ("top", "bottom")), (2, ("left", "right"))):
        size = expected.shape[axis]
        inner = slice(3, -3) if expected.shape[3 - axis] > 8 else slice(2, -2)
        other = (slice(None), slice(None), inner) if axis == 1 else (slice(None), inner)
        wrong = _wrong_slices(actual[other], expected[other], axis)
        if any(3 <= i < size - 3 for i in wrong):
            return ""
        sides += [
            side for side, here in ((first, any(i < 3 for i in wrong)), (last, any(i >= 3 for i in wrong))) if here
        ]
    return f"the {', '.join(sides)} edge alone: other padding" if sides else ""


def _wrong_slices(actual: np.ndarray, expected: np.ndarray, axis: int) -> list[int]:
    other = tuple(i for i in range(expected.ndim) if i != axis)
    largest = np.abs(actual - expected).max(axis=other)
    return [int(i) for i in np.flatnonzero(largest > TOLERANCE[str(expected.dtype)] * np.abs(expected).max())]


def _affine(actual: np.ndarray, expected: np.ndarray) -> str:
    """Each channel scaled and moved: what wrong parameters of a batch norm do."""
    rows, truth = (array.reshape(-1, array.shape[-1]) for array in (actual, expected))
    if len(rows) < 3:
        return ""
    centred, mean = truth - truth.mean(axis=0), rows.mean(axis=0)
    squares = np.square(centred).sum(axis=0)
    scale = np.divide((centred * rows).sum(axis=0), squares, out=np.ones_like(squares), where=squares > 0)
    if not same(rows, (centred * scale + mean).astype(expected.dtype)):
        return ""
    low, high = float(scale.min()), float(scale.max())
    if max(abs(low - 1), abs(high - 1)) < 1e-6:
        return "each channel off by a constant"
    return f"each channel scaled, by {low:.6g} to {high:.6g}, and off by a constant"


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
