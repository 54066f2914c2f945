"""What is kept of a layer's two arrays (NHWC or NC): few numbers of every layer, and pictures of some."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BINS = 41
# So many elements, drawn at random, stand for a layer in its histogram; so many of those are kept as points.
SAMPLE = 4096
POINTS = 48
POINTS_OF_CLOSEUP = 400
WORST = 5
# Values between a lowest and a highest one are kept as levels from 0 to 254; this level is for what is not finite.
LEVELS = 254
NOT_FINITE = 255

Range = tuple[float, float]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts of the differences, port less expected, in `BINS` equal bins from -`scale` to `scale`."""

    scale: float
    counts: np.ndarray


@dataclass(frozen=True)
class Points:
    """Elements as pairs, expected and port: their levels (2, count) between `low` and `high`."""

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
    """Of the image and channel with the largest difference: both sides' maps and the difference's, where the layer has
    maps; and the worst elements, each with its index, the port's value and the expected one."""

    worst: tuple[tuple[Index, float, float], ...]
    points: Points
    port: Map | None = None
    expected: Map | None = None
    difference: Map | None = None


@lru_cache(maxsize=64)
def sample_index(shape: tuple[int, ...], count: int = SAMPLE) -> tuple[np.ndarray, ...]:
    """Where `count` elements of an array lie, drawn with a fixed seed, in their order in memory."""
    size = int(np.prod(shape))
    chosen = np.sort(np.random.default_rng(0).integers(size, size=count)) if size > count else np.arange(size)
    return np.unravel_index(chosen, shape)


def histogram(actual: np.ndarray, expected: np.ndarray) -> Histogram:
    """Of the differences of two float64 arrays (count,); what is not finite is in no bin."""
    with np.errstate(invalid="ignore"):
        differences = actual - expected
    differences = differences[np.isfinite(differences)]
    scale = float(np.abs(differences).max(initial=0.0))
    places = (differences / scale + 1) * (BINS / 2) if scale else np.full(differences.shape, BINS / 2)
    counts = np.bincount(np.minimum(places.astype(np.intp), BINS - 1), minlength=BINS)
    return Histogram(scale, counts.astype(np.uint16))


def points(actual: np.ndarray, expected: np.ndarray, count: int) -> Points:
    """At most `count` of the elements, evenly spaced."""
    step = max(1, -(-actual.size // count))
    pairs = np.stack([expected[::step], actual[::step]])
    low, high = span(pairs)
    return Points(low, high, levels(pairs, low, high))


def span(values: np.ndarray) -> Range:
    """The lowest and the highest finite value; (0, 0) where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The values as levels (uint8). Halves, since the span itself may be more than float64 holds."""
    width = high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (values / 2 - low / 2) / width * LEVELS if width else np.full(values.shape, LEVELS / 2)
        return np.where(np.isfinite(values), np.rint(scaled), NOT_FINITE).astype(np.uint8)


def sampled(array: np.ndarray) -> np.ndarray:
    """The sample's elements as float64 (count,)."""
    return array[sample_index(array.shape)].astype(np.float64)


def closeup(actual: np.ndarray, expected: np.ndarray) -> Closeup:
    """All elements are looked at; arrays of one shape, not empty. What is not finite is the worst."""
    with np.errstate(invalid="ignore"):
        apart = np.subtract(actual, expected, dtype=np.float64, out=np.empty(expected.shape))
    np.abs(apart, out=apart)
    if not np.isfinite(apart.max()):
        apart[~np.isfinite(apart)] = np.inf
    chosen = [tuple(map(int, np.unravel_index(place, apart.shape))) for place in _largest(apart)]
    worst = tuple((index, float(actual[index]), float(expected[index])) for index in chosen)
    kept = points(sampled(actual), sampled(expected), POINTS_OF_CLOSEUP)
    if actual.ndim != 4:
        return Closeup(worst, kept)
    image, _, _, channel = chosen[0]
    pair = np.stack([actual[image, :, :, channel], expected[image, :, :, channel]]).astype(np.float64)
    low, high = span(pair)
    port, truth = (Map(low, high, levels(values, low, high)) for values in pair)
    with np.errstate(invalid="ignore"):
        difference = pair[0] - pair[1]
    most = max(map(abs, span(difference)))
    return Closeup(worst, kept, port, truth, Map(-most, most, levels(difference, -most, most)))


def _largest(apart: np.ndarray) -> list[int]:
    """The places of the `WORST` largest elements, largest first. Only those as large as the WORST-th largest of the
    pixels' own largest can be among them."""
    flat = apart.reshape(-1)
    tops = apart.reshape(-1, apart.shape[-1]).max(axis=1)
    least = np.partition(tops, -WORST)[-WORST] if tops.size > WORST else -np.inf
    candidates = np.flatnonzero(flat >= least)
    order = np.argsort(-flat[candidates], kind="stable")[:WORST]
    return [int(place) for place in candidates[order]]
