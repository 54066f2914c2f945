"""Two tensors of one layer to a result: structure first, then finiteness, then values. Arrays are NHWC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.core import metrics
from parity.core.metrics import Distance
from parity.core.policy import FLOAT32, FLOAT64, Float64Policy
from parity.core.result import Check, Element, LayerResult


def precondition(actual: np.ndarray, expected: np.ndarray) -> str:
    """Why these two cannot be compared; empty if they can. A reference without any variation proves nothing."""
    if actual.shape != expected.shape:
        return f"shape: the port has {actual.shape}, the official network {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype: the port has {actual.dtype}, the official network {expected.dtype}"
    return finiteness(actual, expected)


def finiteness(actual: np.ndarray, expected: np.ndarray) -> str:
    """Why these values cannot be compared: one that is not finite on either side, or a constant reference."""
    for side, array in (("the port", actual), ("the official network", expected)):
        bad = ~np.isfinite(array)
        if bad.any():
            index = [int(i) for i in np.argwhere(bad)[0]]
            return f"not finite: {side} has {array[tuple(index)]} at {index}, {int(bad.sum()):,} in all"
    if expected.size == 0 or expected.min() == expected.max():
        return "the official values are all the same: nothing can be concluded from them"
    return ""


def float64(
    network: str,
    layer: str,
    actual: np.ndarray,
    truth: np.ndarray,
    gate: str = "float64",
    policy: Float64Policy = FLOAT64,
) -> LayerResult:
    """The port in float64 against the official network in float64."""
    if problem := precondition(actual, truth):
        return LayerResult(gate, network, layer, problem=problem)
    found = metrics.distance(actual, truth)
    norm, largest = metrics.norm(truth), metrics.largest(truth)
    checks = (
        Check("relative L2", found.l2 / norm if norm else float("inf"), policy.relative_l2),
        Check("largest difference / largest value", found.largest / largest, policy.relative_largest),
    )
    element = None if all(checks) else _element(actual, truth, found, policy.relative_largest * largest)
    return LayerResult(gate, network, layer, checks, element=element, norm=norm)


def float32(
    network: str,
    layer: str,
    actual: np.ndarray,
    truth: np.ndarray,
    official: Distance,
    independent: float,
    sums: int = 1,
) -> LayerResult:
    """The port in float32 against the float64 `truth`, by the measure of the `official` float32 distance from it.

    `independent` is by how many neighbourhoods of pixels the image is carried; `sums` how many products the gradient
    of a variable adds up.
    """
    if actual.shape != truth.shape or actual.dtype != np.float32:
        problem = f"the port has {actual.dtype} {actual.shape}, the official network float32 {truth.shape}"
        return LayerResult("float32", network, layer, problem=problem)
    if problem := finiteness(actual, truth):
        return LayerResult("float32", network, layer, problem=problem)
    found = metrics.distance(actual, truth)
    allowed = allowed_in_float32(truth, official, independent, sums)
    checks = [
        Check("L2 distance from float64", found.l2, allowed.layer),
        Check("largest distance from float64", found.largest, allowed.largest),
    ]
    if allowed.by_channel is not None:
        channel = int((found.by_channel / allowed.by_channel).argmax())
        measured, limit = float(found.by_channel[channel]), float(allowed.by_channel[channel])
        checks.append(Check(f"L2 distance of channel {channel} from float64", measured, limit))
    notes = (f"TensorFlow's own distance from float64: L2 {official.l2:.4g}, largest {official.largest:.4g}",)
    element = None if all(checks) else _element(actual, truth, found, allowed.largest)
    return LayerResult(
        "float32",
        network,
        layer,
        tuple(checks),
        element=element,
        notes=notes,
        norm=metrics.norm(truth),
        official=official.l2,
    )


@dataclass(frozen=True)
class Allowed:
    """How far a layer in float32 may be from the float64 truth: as L2, any element, and as L2 each channel (C,).

    Channels of few values are not judged by themselves: their distance is a matter of chance.
    """

    layer: float
    largest: float
    by_channel: np.ndarray | None


def allowed_in_float32(truth: np.ndarray, official: Distance, independent: float, sums: int) -> Allowed:
    """Return what the float32 gate allows where TensorFlow itself is at the distance `official` from the `truth`."""
    channels = truth.shape[-1]
    values = truth.size // channels
    # Where TensorFlow is exact by chance, the port may round: a few units of rounding of the values' own size.
    floor = FLOAT32.floor_for(values, sums)
    norm, largest = metrics.norm(truth), metrics.largest(truth)
    # Neighbouring pixels of a smooth image round alike. Of many values few are independent then, and the fewer there
    # are, the more two sound sides differ by chance: the factor grows.
    effective = min(official.effective, independent * channels)
    layer = float(FLOAT32.factor(FLOAT32.layer, effective)) * official.l2 + floor * norm
    element = float(FLOAT32.factor(FLOAT32.largest, effective)) * official.largest + floor * largest
    if values < FLOAT32.channel_values:
        return Allowed(layer, element, None)
    factors = FLOAT32.factor(FLOAT32.channel, np.minimum(official.effective_by_channel, independent))
    # A channel in which a ReLU left one value of the truth, and nothing of TensorFlow's, is measured by its neighbours:
    # each may be as far off as TensorFlow's channels are on average.
    average = official.l2 / np.sqrt(channels)
    by_channel = np.maximum(factors * official.by_channel, average) + floor * norm / np.sqrt(channels)
    return Allowed(layer, element, by_channel)


def exact(network: str, layer: str, actual: np.ndarray, expected: np.ndarray) -> LayerResult:
    """The port against the official network, bit by bit."""
    gate = f"exact-{expected.dtype}"
    if problem := precondition(actual, expected):
        return LayerResult(gate, network, layer, problem=problem)
    different = metrics.different_bits(actual, expected)
    count = int(different.sum())
    checks = (Check("elements that differ", count, 0),)
    element = None
    if count:
        found = metrics.distance(actual, expected)
        index = found.worst
        element = Element(index, float(actual[index]), float(expected[index]), count, actual.size)
    return LayerResult(gate, network, layer, checks, element=element)


def digest(
    gate: str, network: str, layer: str, actual: np.ndarray, shape: Sequence[int | None], found: str, expected: str
) -> LayerResult:
    """The digests of the port's values and of the official ones, where no more than their `shape`, which begins with
    the number of images, is known of them."""
    if actual.shape[1:] != tuple(shape[1:]) or f"exact-{actual.dtype}" != gate:
        problem = f"the port has {actual.dtype} {actual.shape}, the official network {gate[6:]} {tuple(shape)}"
        return LayerResult(gate, network, layer, problem=problem)
    if not np.isfinite(actual).all():
        return LayerResult(gate, network, layer, problem=f"not finite: {int((~np.isfinite(actual)).sum()):,} values")
    check = Check("digests that differ", int(found != expected), 0)
    notes = () if check else (f"digest {found}, expected {expected}: there are no values to compare with",)
    return LayerResult(gate, network, layer, (check,), notes=notes)


def preprocess(
    network: str, name: str, actual: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]
) -> LayerResult:
    """The decoded image (H, W, 3) and the network's input (1, height, width, 3) of both sides, bit by bit."""
    for what, ours, official in zip(("decoded", "input"), actual, expected, strict=True):
        if (ours.shape, ours.dtype) != (official.shape, official.dtype):
            problem = f"{what}: the port has {ours.dtype} {ours.shape}, TensorFlow {official.dtype} {official.shape}"
            return LayerResult("preprocess", network, name, problem=problem)
    pixels = metrics.different_bits(actual[1], expected[1])
    count = int(pixels.sum())
    decoded = int((actual[0] != expected[0]).sum())
    checks = (Check("decoded values that differ", decoded, 0), Check("input values that differ", count, 0))
    element = None
    if count:
        index = metrics.distance(actual[1], expected[1]).worst
        element = Element(index, float(actual[1][index]), float(expected[1][index]), count, pixels.size)
    return LayerResult("preprocess", network, name, checks, element=element)


def _element(actual: np.ndarray, truth: np.ndarray, found: Distance, allowed: float) -> Element:
    count = metrics.exceeding(actual, truth, allowed)
    return Element(found.worst, float(actual[found.worst]), float(truth[found.worst]), count, actual.size)
