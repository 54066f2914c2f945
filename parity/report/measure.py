"""What is kept of a layer's two arrays (NHWC or NC): few numbers of every layer, and pictures of some."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Odd, so that there is a middle bin, where equal values are.
BINS = 41
# How many elements, drawn at random, stand for a layer in its histogram, and how many of those are kept as points.
SAMPLE = 4096
POINTS = 48
POINTS_OF_CLOSEUP = 400
# How many of a layer's worst elements are kept.
WORST = 5
# Values between a lowest and a highest one are kept as levels from 0 to 254; this level is for what is not finite. The
# number is even, so that there is a middle level: of differences it is zero, and has the palette's neutral colour.
LEVELS = 254
NOT_FINITE = 255

Range = tuple[float, float]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts of the differences, candidate less expected, in `BINS` equal bins from -`scale` to `scale`."""

    scale: float
    counts: np.ndarray


@dataclass(frozen=True)
class Points:
    """Elements as levels (2, count) between `low` and `high`: the expected values, then the candidate's."""

    low: float
    high: float
    levels: np.ndarray


@dataclass(frozen=True)
class Map:
    """One channel of one image as levels (H, W) between `low` and `high`."""

    low: float
    high: float
    levels: np.ndarray


@dataclass(frozen=True)
class Closeup:
    """The worst elements of a layer, points, and maps of the image and channel with the largest difference.

    Each of the `worst` has its index, the candidate's value and the expected one. `port` is the map of the candidate,
    as report.json calls it; layers of two dimensions have no maps.
    """

    worst: tuple[tuple[Index, float, float], ...]
    points: Points
    port: Map | None = None
    expected: Map | None = None
    difference: Map | None = None


# Cached, as many layers have one shape.
@lru_cache(maxsize=64)
def sample_index(shape: tuple[int, ...], count: int = SAMPLE) -> tuple[np.ndarray, ...]:
    """Return where at most `count` elements of an array of that shape lie, in their order: an index for each dimension.

    Of a larger array the elements are drawn at random (one may be drawn twice), with a fixed seed.
    """
    size = int(np.prod(shape))
    # Not places in a flat array: an array that is transposed in memory would be copied to be flat.
    if size <= count:
        return np.unravel_index(np.arange(size), shape)
    places = np.sort(np.random.default_rng(0).integers(size, size=count))
    return np.unravel_index(places, shape)


def histogram(actual: np.ndarray, expected: np.ndarray) -> Histogram:
    """Return a histogram of the differences of two float64 arrays (count,); what is not finite is in no bin."""
    # An infinity less itself is not a number, and no reason to warn: a faulty candidate may give anything.
    with np.errstate(invalid="ignore"):
        differences = actual - expected
    differences = differences[np.isfinite(differences)]
    scale = float(np.abs(differences).max(initial=0.0))
    # Where all values are equal, all are in the middle bin.
    places = np.full(differences.shape, BINS / 2)
    if scale:
        places = (differences / scale + 1) * (BINS / 2)
    # A difference of `scale` itself is at the upper end of the last bin, and belongs to it.
    bins = np.minimum(places.astype(np.intp), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    return Histogram(scale, counts.astype(np.uint16))


def points(actual: np.ndarray, expected: np.ndarray, count: int) -> Points:
    """Return at most `count` of the elements of two float64 arrays (any number,), evenly spaced."""
    # Rounded up, so that there are no more than `count`.
    step = max(1, -(-actual.size // count))
    pairs = np.stack([expected[::step], actual[::step]])
    low, high = span(pairs)
    return Points(low, high, levels(pairs, low, high))


def span(values: np.ndarray) -> Range:
    """Return the lowest and the highest finite value; (0, 0) where there is none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    return float(finite.min()), float(finite.max())


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the values as levels (uint8) between `low` and `high`, in their shape; equal ones in the middle."""
    # Halves, since the span itself may be more than float64 holds.
    width = high / 2 - low / 2
    scaled = np.full(values.shape, LEVELS / 2)
    with np.errstate(invalid="ignore", over="ignore"):
        if width:
            scaled = (values / 2 - low / 2) / width * LEVELS
        return np.where(np.isfinite(values), np.rint(scaled), NOT_FINITE).astype(np.uint8)


def sampled(array: np.ndarray) -> np.ndarray:
    """Return the elements of an array that stand for it, at most `SAMPLE`, as float64 (count,)."""
    return array[sample_index(array.shape)].astype(np.float64)


def closeup(actual: np.ndarray, expected: np.ndarray) -> Closeup:
    """Return a close-up of two arrays of one shape (NHWC or NC), not empty: the candidate's and the expected values.

    All elements are looked at, not a sample. What is not finite is the worst.
    """
    worst = []
    for place in _largest(_distances(actual, expected)):
        index = tuple(map(int, np.unravel_index(place, expected.shape)))
        worst.append((index, float(actual[index]), float(expected[index])))
    pairs = points(sampled(actual), sampled(expected), POINTS_OF_CLOSEUP)
    if actual.ndim != 4:
        return Closeup(tuple(worst), pairs)
    image, _, _, channel = worst[0][0]
    maps_hw = np.stack([actual[image, :, :, channel], expected[image, :, :, channel]]).astype(np.float64)
    # One span for both, so that one colour is one value.
    low, high = span(maps_hw)
    actual_map = Map(low, high, levels(maps_hw[0], low, high))
    expected_map = Map(low, high, levels(maps_hw[1], low, high))
    return Closeup(tuple(worst), pairs, actual_map, expected_map, _difference_map(maps_hw))


def _distances(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the absolute differences as float64, in C order; infinite where one is not finite."""
    # `out` is in C order, whatever the arrays are, so that a flat view of it is no copy. In float64, since the float32
    # gate compares float32 values with a float64 truth.
    distances = np.empty(expected.shape)
    with np.errstate(invalid="ignore"):
        np.subtract(actual, expected, dtype=np.float64, out=distances)
    # In place: a layer may have hundreds of megabytes.
    np.abs(distances, out=distances)
    # The maximum is not finite if any element is not: only then are these looked for, which takes a mask of all.
    if not np.isfinite(distances.max()):
        distances[~np.isfinite(distances)] = np.inf
    return distances


def _largest(distances: np.ndarray) -> list[int]:
    """Return the places of the `WORST` largest elements in the flat array, largest first; of equal ones the first."""
    flat = distances.reshape(-1)
    # The largest of each pixel's channels: a small array. Its WORST-th largest is a bound, as `WORST` elements or more
    # are as large: none below it is among them. To sort all elements would take an index as large as they are.
    pixel_largest = distances.reshape(-1, distances.shape[-1]).max(axis=1)
    bound = -np.inf
    if pixel_largest.size > WORST:
        bound = np.partition(pixel_largest, -WORST)[-WORST]
    places = np.flatnonzero(flat >= bound)
    order = np.argsort(-flat[places], kind="stable")[:WORST]
    worst: list[int] = places[order].tolist()
    return worst


def _difference_map(maps_hw: np.ndarray) -> Map:
    """Return the map of the differences of two channels (2, H, W): the candidate's less the expected."""
    with np.errstate(invalid="ignore"):
        difference_hw = maps_hw[0] - maps_hw[1]
    # As far below zero as above, so that no difference is the middle level.
    low, high = span(difference_hw)
    furthest = max(abs(low), abs(high))
    return Map(-furthest, furthest, levels(difference_hw, -furthest, furthest))
