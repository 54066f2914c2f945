"""Two tensors of one layer to a result: structure first, then finiteness, then values. Arrays are NHWC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.core import metrics
from parity.core.metrics import Distance
from parity.core.policy import FLOAT32, FLOAT64, Float64Policy
from parity.core.result import Check, Element, LayerResult


def precondition(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return why the two arrays cannot be compared: another shape or dtype, or by `finiteness`; empty if they can."""
    if actual.shape != expected.shape:
        return f"shape: the candidate has {actual.shape}, the official network {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype: the candidate has {actual.dtype}, the official network {expected.dtype}"
    return finiteness(actual, expected)


def finiteness(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return why the values of two arrays cannot be compared; empty if they can.

    They cannot where a value of either side is not finite, or where the expected ones are none or all the same.
    """
    for side, array in (("the candidate", actual), ("the official network", expected)):
        bad = ~np.isfinite(array)
        if bad.any():
            index = np.argwhere(bad)[0].tolist()
            return f"not finite: {side} has {array[tuple(index)]} at {index}, {int(bad.sum()):,} in all"
    # Without any variation there is nothing that a shift, a flip or an exchange would change.
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
    """Judge the candidate's float64 values by those of the official network in float64, the `truth`."""
    problem = precondition(actual, truth)
    if problem:
        return LayerResult(gate, network, layer, problem=problem)
    distance = metrics.distance(actual, truth)
    norm = metrics.norm(truth)
    largest = metrics.largest(truth)
    # Of values about 1e-170 all squares vanish: no distance is small beside a norm of 0.
    relative_l2 = distance.l2 / norm if norm else float("inf")
    checks = (
        Check("relative L2", relative_l2, policy.relative_l2),
        Check("largest difference / largest value", distance.largest / largest, policy.relative_largest),
    )
    element = None
    if not all(checks):
        element = _worst_element(actual, truth, distance, policy.relative_largest * largest)
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
    """Judge the candidate's float32 values by their distance from the official float64 values, the `truth`.

    The measure is the `official` network's own float32 distance from them. `independent` is by how many neighbourhoods
    of pixels the image is carried; `sums` how many products the gradient of a variable adds up.
    """
    problem = _precondition_in_float32(actual, truth)
    if problem:
        return LayerResult("float32", network, layer, problem=problem)
    distance = metrics.distance(actual, truth)
    allowed = allowed_in_float32(truth, official, independent, sums)
    checks = [
        Check("L2 distance from float64", distance.l2, allowed.layer),
        Check("largest distance from float64", distance.largest, allowed.largest),
    ]
    if allowed.by_channel is not None:
        checks.append(_worst_channel(distance.by_channel, allowed.by_channel))
    element = None
    if not all(checks):
        element = _worst_element(actual, truth, distance, allowed.largest)
    measure = f"TensorFlow's own distance from float64: L2 {official.l2:.4g}, largest {official.largest:.4g}"
    norm = metrics.norm(truth)
    return LayerResult(
        "float32", network, layer, tuple(checks), element=element, notes=(measure,), norm=norm, official=official.l2
    )


def _precondition_in_float32(actual: np.ndarray, truth: np.ndarray) -> str:
    """Return why a float32 array cannot be measured from the float64 truth; empty if it can."""
    # `precondition` would refuse the two, as it asks for one dtype on both sides.
    if actual.shape != truth.shape or actual.dtype != np.float32:
        return f"the candidate has {actual.dtype} {actual.shape}, the official network float32 {truth.shape}"
    return finiteness(actual, truth)


def _worst_channel(measured: np.ndarray, allowed: np.ndarray) -> Check:
    """Return the check of the channel that comes nearest to its limit, or goes furthest beyond it; both arrays (C,)."""
    # It stands for all: if it passes, every channel does.
    channel = int((measured / allowed).argmax())
    return Check(f"L2 distance of channel {channel} from float64", float(measured[channel]), float(allowed[channel]))


@dataclass(frozen=True)
class Allowed:
    """The distance from the float64 truth that a layer in float32 may have.

    `layer` is for all values as L2, `largest` for any element, and `by_channel` (C,) for each channel as L2. It is None
    where channels have few values: their distance is a matter of chance, and they are not judged by themselves.
    """

    layer: float
    largest: float
    by_channel: np.ndarray | None


def allowed_in_float32(truth: np.ndarray, official: Distance, independent: float, sums: int) -> Allowed:
    """Return what the float32 gate allows where TensorFlow itself is at the distance `official` from the `truth`."""
    channels = truth.shape[-1]
    values = truth.size // channels
    # Where TensorFlow is exact by chance, the candidate may round: a few units of rounding of the values' own size.
    floor = FLOAT32.floor_for(values, sums)
    norm = metrics.norm(truth)
    # Neighbouring pixels of a smooth image round alike. Of many values few are independent then, and the fewer there
    # are, the more two sound sides differ by chance: the factor grows. A neighbourhood counts once for each channel.
    effective = min(official.effective, independent * channels)
    layer = float(FLOAT32.factor(FLOAT32.layer, effective)) * official.l2 + floor * norm
    largest = float(FLOAT32.factor(FLOAT32.largest, effective)) * official.largest + floor * metrics.largest(truth)
    if values < FLOAT32.channel_values:
        return Allowed(layer, largest, None)
    factors = FLOAT32.factor(FLOAT32.channel, np.minimum(official.effective_by_channel, independent))
    # A channel in which a ReLU left one value of the truth, and nothing of TensorFlow's, is measured by its neighbours:
    # each may be as far off as TensorFlow's channels are on average. Squares add up over channels, so a channel's share
    # of a norm is 1 / sqrt(channels) of it.
    average = official.l2 / np.sqrt(channels)
    by_channel = np.maximum(factors * official.by_channel, average) + floor * norm / np.sqrt(channels)
    return Allowed(layer, largest, by_channel)


def exact(network: str, layer: str, actual: np.ndarray, expected: np.ndarray) -> LayerResult:
    """Judge the candidate's values by the official network's, bit by bit; the gate is that of the official dtype."""
    gate = f"exact-{expected.dtype}"
    problem = precondition(actual, expected)
    if problem:
        return LayerResult(gate, network, layer, problem=problem)
    count = int(metrics.different_bits(actual, expected).sum())
    checks = (Check("elements that differ", count, 0),)
    element = None
    if count:
        index = metrics.distance(actual, expected).worst
        element = Element(index, float(actual[index]), float(expected[index]), count, actual.size)
    return LayerResult(gate, network, layer, checks, element=element)


def digest(
    gate: str,
    network: str,
    layer: str,
    actual: np.ndarray,
    shape: Sequence[int | None],
    actual_digest: str,
    expected_digest: str,
) -> LayerResult:
    """Judge the candidate's values by their digest, where only the digest and `shape` are known of the official ones.

    The `shape` begins with the number of images, which is not compared.
    """
    if actual.shape[1:] != tuple(shape[1:]) or f"exact-{actual.dtype}" != gate:
        expected = f"{gate.removeprefix('exact-')} {tuple(shape)}"
        problem = f"the candidate has {actual.dtype} {actual.shape}, the official network {expected}"
        return LayerResult(gate, network, layer, problem=problem)
    not_finite = actual.size - np.count_nonzero(np.isfinite(actual))
    if not_finite:
        return LayerResult(gate, network, layer, problem=f"not finite: {not_finite:,} values")
    check = Check("digests that differ", int(actual_digest != expected_digest), 0)
    notes: tuple[str, ...] = ()
    if not check:
        notes = (f"digest {actual_digest}, expected {expected_digest}: there are no values to compare with",)
    return LayerResult(gate, network, layer, (check,), notes=notes)


def preprocess(
    network: str, name: str, actual: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]
) -> LayerResult:
    """Judge the candidate's preprocessing of the image `name`, bit by bit.

    Both sides are the decoded image (H, W, 3) and the network's input (1, height, width, 3).
    """
    for part, ours, official in zip(("decoded", "input"), actual, expected, strict=True):
        if (ours.shape, ours.dtype) != (official.shape, official.dtype):
            official_form = f"{official.dtype} {official.shape}"
            problem = f"{part}: the candidate has {ours.dtype} {ours.shape}, TensorFlow {official_form}"
            return LayerResult("preprocess", network, name, problem=problem)
    actual_decoded, actual_nhwc = actual
    expected_decoded, expected_nhwc = expected
    # Decoded values are whole numbers (uint8), which `!=` compares to the last bit; the input is in float32.
    decoded_count = int((actual_decoded != expected_decoded).sum())
    input_count = int(metrics.different_bits(actual_nhwc, expected_nhwc).sum())
    checks = (
        Check("decoded values that differ", decoded_count, 0),
        Check("input values that differ", input_count, 0),
    )
    element = None
    if input_count:
        index = metrics.distance(actual_nhwc, expected_nhwc).worst
        element = Element(index, float(actual_nhwc[index]), float(expected_nhwc[index]), input_count, actual_nhwc.size)
    return LayerResult("preprocess", network, name, checks, element=element)


def _worst_element(actual: np.ndarray, truth: np.ndarray, distance: Distance, allowed: float) -> Element:
    """Return the element that is furthest off, with the number of elements that differ by more than `allowed`."""
    count = metrics.exceeding(actual, truth, allowed)
    return Element(distance.worst, float(actual[distance.worst]), float(truth[distance.worst]), count, actual.size)
