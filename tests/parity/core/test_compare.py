"""For each gate: what passes, and for each of its checks a planted fault that it catches."""

from collections.abc import Callable

import numpy as np
import pytest

from parity.core import compare, metrics
from parity.core.policy import FLOAT32
from parity.core.result import Check, Element, LayerResult

# Channels of 1,600 values, 200,000 in all: enough for the plain factors.
SHAPE = (1, 40, 40, 125)
SPOT = (0, 7, 11, 17)
NOISE = 1e-3
# A decoded image, and the input of another size that is made of it.
DECODED = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
PIXELS = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 4, 5, 3)
Gate = Callable[[np.ndarray, np.ndarray], LayerResult]


def float64(actual: np.ndarray, expected: np.ndarray) -> LayerResult:
    return compare.float64("mobile-224", "cell_5.1x1", actual, expected)


def exact(actual: np.ndarray, expected: np.ndarray) -> LayerResult:
    return compare.exact("mobile-224", "cell_5.1x1", actual, expected)


def float32(actual: np.ndarray, truth: np.ndarray, independent: float = np.inf) -> LayerResult:
    """By the measure of a TensorFlow that is off by NOISE, drawn once."""
    official = metrics.distance(noise(), np.zeros(SHAPE))
    return compare.float32("mobile-224", "cell_5.1x1", actual, truth, official, independent)


GATES = pytest.mark.parametrize(
    ("gate", "dtype"),
    [(float64, "float64"), (float32, "float32"), (exact, "float32"), (exact, "float64")],
    ids=["float64", "float32", "exact-float32", "exact-float64"],
)


def truth() -> np.ndarray:
    """Float64 values that float32 holds as well."""
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32).astype(np.float64)


def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(scale=NOISE, size=SHAPE)


def expected_by(gate: Gate, dtype: str) -> np.ndarray:
    """The official values as the gate takes them: the float32 gate is given the float64 truth."""
    return truth() if gate is float32 else truth().astype(dtype)


def failing(result: LayerResult) -> list[str]:
    return [check.name for check in result.checks if not check]


@GATES
def test_equal_values_pass(gate: Gate, dtype: str) -> None:
    result = gate(truth().astype(dtype), expected_by(gate, dtype))
    assert result
    assert result.checks
    assert result.element is None


@GATES
def test_a_result_says_whose_it_is(gate: Gate, dtype: str) -> None:
    """Its gate, network and layer, whether the values were good, bad, not finite or of another shape."""
    good, name = truth().astype(dtype), f"exact-{dtype}" if gate is exact else dtype
    for actual in (good, -good, np.full_like(good, np.nan), good[:, 1:]):
        result = gate(actual, expected_by(gate, dtype))
        assert (result.gate, result.network, result.layer) == (name, "mobile-224", "cell_5.1x1")


@GATES
@pytest.mark.parametrize("shape", [(1, 40, 125, 40), (40, 40, 125), (2, 40, 20, 125), (200000,), (0, 40, 40, 125)])
def test_another_shape_fails(gate: Gate, dtype: str, shape: tuple[int, ...]) -> None:
    """Both shapes are named; nothing is broadcast, reshaped or transposed until it fits."""
    result = gate(np.ones(shape, dtype), expected_by(gate, dtype))
    assert not result
    assert str(shape) in result.problem
    assert str(SHAPE) in result.problem


@GATES
@pytest.mark.parametrize("other", ["float16", "float32", "float64", "int64"])
def test_another_dtype_fails(gate: Gate, dtype: str, other: str) -> None:
    """Both dtypes are named."""
    result = gate(truth().astype(other), expected_by(gate, dtype))
    assert bool(result) == (other == dtype)
    if other != dtype:
        assert other in result.problem
        assert dtype in result.problem


@GATES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("side", ["port", "official", "both"])
def test_a_value_that_is_not_finite_fails(gate: Gate, dtype: str, value: float, side: str) -> None:
    """On either side, and on both: its side, value, index and how many there are."""
    actual, expected = truth().astype(dtype), expected_by(gate, dtype)
    for array in {"port": [actual], "official": [expected], "both": [actual, expected]}[side]:
        array[SPOT] = value
        array[0, 39, 39, 124] = value
    result = gate(actual, expected)
    assert not result
    named = "the official network" if side == "official" else "the candidate"
    assert result.problem == f"not finite: {named} has {value} at [0, 7, 11, 17], 2 in all"


@GATES
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_a_constant_reference_fails(gate: Gate, dtype: str, value: float) -> None:
    """Even where the port has the same values: nothing can be concluded from them."""
    same = np.full(SHAPE, value)
    problem = gate(same.astype(dtype), same if gate is float32 else same.astype(dtype)).problem
    assert problem == "the official values are all the same: nothing can be concluded from them"
    assert not gate(truth().astype(dtype), same if gate is float32 else same.astype(dtype))


@GATES
def test_an_empty_layer_fails(gate: Gate, dtype: str) -> None:
    empty = np.ones((0, 40, 40, 125))
    result = gate(empty.astype(dtype), empty if gate is float32 else empty.astype(dtype))
    assert not result
    assert result.problem


@GATES
def test_height_and_width_exchanged_fails(gate: Gate, dtype: str) -> None:
    """On a square map the shapes agree, and only the values tell."""
    actual = truth().transpose(0, 2, 1, 3).copy().astype(dtype)
    result = gate(actual, expected_by(gate, dtype))
    assert not result
    assert not result.problem
    assert result.element


@GATES
def test_a_single_value_takes_the_place_of_its_neighbour(gate: Gate, dtype: str) -> None:
    """Two elements exchanged fail, though mean, norm and histogram stay what they were."""
    actual = truth().astype(dtype)
    actual[0, 0, 0, [0, 1]] = actual[0, 0, 0, [1, 0]]
    assert not gate(actual, expected_by(gate, dtype))


@pytest.mark.parametrize(("off", "passes"), [(0.9e-9, True), (2e-9, False)])
def test_float64_one_element_off(off: float, passes: bool) -> None:
    """One part in 1e9 of the layer's largest is allowed; of 200,000 elements the one that is off is named."""
    actual, expected = truth(), truth()
    actual[SPOT] += off * np.abs(expected).max()
    result = float64(actual, expected)
    assert bool(result) == passes
    if not passes:
        assert failing(result) == ["largest difference / largest value"]
        assert result.element
        assert (result.element.index, result.element.exceeding, result.element.size) == (SPOT, 1, expected.size)
        assert (result.element.actual, result.element.expected) == (actual[SPOT], expected[SPOT])


@pytest.mark.parametrize(("off", "passes"), [(0.9e-10, True), (2e-10, False)])
def test_float64_the_whole_layer_off(off: float, passes: bool) -> None:
    """A factor that no single element shows is seen in the relative L2."""
    result = float64(truth() * (1 + off), truth())
    assert bool(result) == passes
    assert failing(result) == ([] if passes else ["relative L2"])


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e6, 1e20])
def test_float64_does_not_depend_on_the_scale(scale: float) -> None:
    """There is no absolute tolerance that small values could hide behind."""
    assert float64(truth() * (1 + 0.9e-10) * scale, truth() * scale)
    assert not float64(truth() * (1 + 2e-10) * scale, truth() * scale)


def test_float64_counts_the_elements_beyond_what_is_allowed() -> None:
    """All are off by half of it, one by twice as much as it: one exceeds."""
    actual = truth() + 0.5e-9 * np.abs(truth()).max()
    actual[SPOT] += 1.5e-9 * np.abs(truth()).max()
    element = float64(actual, truth()).element
    assert element
    assert (element.index, element.exceeding) == (SPOT, 1)


def test_float64_where_all_squares_vanish_fails() -> None:
    """Values about 1e-170 have a norm of 0 in float64: no distance is small beside it."""
    assert failing(float64(truth() * 1.5e-170, truth() * 1e-170)) == ["relative L2"]


@pytest.mark.parametrize(("factor", "passes"), [(0.0, True), (1.0, True), (1.2, True), (1.3, False), (-1.3, False)])
def test_float32_the_whole_layer_further_off(factor: float, passes: bool) -> None:
    """Up to 1.25 times TensorFlow's own distance, in whichever direction."""
    result = float32((truth() + factor * noise()).astype(np.float32), truth())
    assert bool(result) == passes
    assert failing(result) == ([] if passes else ["L2 distance from float64"])


def test_float32_the_port_as_tensorflow_passes() -> None:
    """The very values of TensorFlow come to 1 / 1.25 of the limit."""
    values = (truth() + noise()).astype(np.float32)
    result = compare.float32("mobile-224", "conv0", values, truth(), metrics.distance(values, truth()), np.inf)
    assert result
    assert result.margin == pytest.approx(1 / FLOAT32.layer, rel=1e-3)


def test_float32_one_bad_channel() -> None:
    """One channel among 125 that is 2.4 times as far off as TensorFlow is seen in no other figure."""
    off = noise()
    off[..., 17] *= 2.4
    assert failing(float32((truth() + off).astype(np.float32), truth())) == ["L2 distance of channel 17 from float64"]
    off[..., 17] *= 1.8 / 2.4
    assert float32((truth() + off).astype(np.float32), truth())


def test_float32_one_bad_element() -> None:
    """One element among 200,000 is seen, and named, where it is over twice as far off as TensorFlow's worst."""
    actual = (truth() + noise()).astype(np.float32)
    actual[SPOT] = truth()[SPOT] + 2.5 * np.abs(noise()).max()
    result = float32(actual, truth())
    assert failing(result) == ["largest distance from float64"]
    assert result.element
    assert (result.element.index, result.element.exceeding) == (SPOT, 1)
    assert result.element.actual == actual[SPOT]


@pytest.mark.parametrize(("values", "judged"), [(99, False), (100, True)])
def test_float32_judges_channels_of_100_values_or_more(values: int, judged: bool) -> None:
    """In smaller ones the distance is a matter of chance."""
    expected, off = truth().reshape(-1, 125)[:values], np.sign(noise()).reshape(-1, 125)[:values] * NOISE
    actual = (expected + off * np.where(np.arange(125) == 17, 4.0, 0.1)).astype(np.float32)
    result = compare.float32("mobile-224", "conv0", actual, expected, metrics.distance(off, np.zeros_like(off)), np.inf)
    assert ("L2 distance of channel 17 from float64" in failing(result)) == judged
    assert len(result.checks) == 2 + judged


@pytest.mark.parametrize("scale", [2.0**-20, 1.0, 2.0**20])
@pytest.mark.parametrize(
    ("pixels", "units", "passes"),
    [(400, 0, True), (400, 6, True), (400, 10, False), (99, 60, True), (99, 70, False)],
)
def test_float32_where_tensorflow_is_exact(pixels: int, units: int, passes: bool, scale: float) -> None:
    """Only the floor is left: 8 units of rounding, or 64 on maps so small that channels are not judged."""
    signs = np.sign(truth()).reshape(-1, 125)[:pixels] * scale
    actual = (signs * (1 + units * 2.0**-24)).astype(np.float32)
    result = compare.float32("mobile-224", "conv0", actual, signs, metrics.distance(signs, signs), np.inf)
    assert bool(result) == passes
    assert len(failing(result)) == (0 if passes else len(result.checks))


@pytest.mark.parametrize(("units", "passes"), [(90, True), (110, False)])
def test_float32_of_a_sum_of_many_products(units: int, passes: bool) -> None:
    """The floor of 10,000 products is 100 units of rounding."""
    signs = np.sign(truth())
    actual = (signs * (1 + units * 2.0**-24)).astype(np.float32)
    official = metrics.distance(signs, signs)
    assert bool(compare.float32("mobile-224", "conv0", actual, signs, official, np.inf, 10_000)) == passes


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_float32_where_tensorflow_is_not_finite(value: float) -> None:
    """A TensorFlow that overflowed is no licence for the port."""
    values = (truth() + noise()).astype(np.float32)
    official = values.copy()
    official[SPOT] = value
    assert not compare.float32("mobile-224", "conv0", values, truth(), metrics.distance(official, truth()), np.inf)


@pytest.mark.parametrize(("off", "passes"), [(0.9, True), (1.2, False)])
def test_float32_where_tensorflow_is_lucky_in_a_channel(off: float, passes: bool) -> None:
    """Then the port may be as far off there as TensorFlow is in its channels on average."""
    lucky, port = noise(), noise()
    lucky[..., 17] *= 0.01
    port[..., 17] *= off
    official = metrics.distance(lucky, np.zeros(SHAPE))
    result = compare.float32("mobile-224", "conv0", (truth() + port).astype(np.float32), truth(), official, np.inf)
    assert bool(result) == passes
    assert failing(result) == ([] if passes else ["L2 distance of channel 17 from float64"])


@pytest.mark.parametrize(("independent", "passes"), [(np.inf, False), (300, False), (144, True)])
def test_float32_of_an_image_that_is_mostly_one_colour(independent: float, passes: bool) -> None:
    """What rounding does to the colour decides whole channels: they may be further off."""
    off = noise()
    off[..., 17] *= 2.4
    assert bool(float32((truth() + off).astype(np.float32), truth(), independent)) == passes


@pytest.mark.parametrize(("independent", "passes"), [(np.inf, False), (24, False), (1, True)])
def test_float32_of_a_whole_layer_of_one_colour(independent: float, passes: bool) -> None:
    """A neighbourhood counts once for each of the 125 channels: 3,000 values take the plain factor, 125 do not."""
    result = float32((truth() + 1.3 * noise()).astype(np.float32), truth(), independent)
    assert ("L2 distance from float64" not in failing(result)) == passes


def test_float32_names_the_distance_of_tensorflow() -> None:
    """A reader sees by what measure the port was judged."""
    official = metrics.distance(noise(), np.zeros(SHAPE))
    assert f"{official.l2:.4g}" in str(float32(truth().astype(np.float32), truth()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("direction", [-np.inf, np.inf], ids=["down", "up"])
def test_exact_one_unit_in_the_last_place(dtype: str, direction: float) -> None:
    """One element that is off by one unit fails, with its index, both values and the counts."""
    expected = np.random.default_rng(0).integers(-5, 5, (2, 6, 6, 4)).astype(dtype)
    actual = expected.copy()
    actual[1, 2, 3, 0] = np.nextafter(expected[1, 2, 3, 0], np.array(direction, dtype))
    result = exact(actual, expected)
    assert result.checks == (Check("elements that differ", 1, 0),)
    assert result.gate == f"exact-{dtype}"
    assert result.element
    assert (result.element.index, result.element.exceeding, result.element.size) == ((1, 2, 3, 0), 1, 288)
    assert (result.element.actual, result.element.expected) == (actual[1, 2, 3, 0], expected[1, 2, 3, 0])
    assert result.element.actual != result.element.expected


def test_exact_takes_negative_zero_for_zero() -> None:
    expected = np.array([[0.0, 1.0, -0.0]])
    assert exact(np.array([[-0.0, 1.0, 0.0]]), expected)


@pytest.mark.parametrize("part", [0, 1], ids=["decoded", "input"])
def test_preprocess_one_value_off(part: int) -> None:
    """In the decoded image or in the input, it fails that check alone; only the input has an element to show."""
    ours = DECODED.copy(), PIXELS.copy()
    ours[part][..., 3, 2, 1] += 1
    result = compare.preprocess("mobile-224", "chelsea.jpg", ours, (DECODED, PIXELS))
    checks = Check("decoded values that differ", 1 - part, 0), Check("input values that differ", part, 0)
    element = Element((0, 3, 2, 1), PIXELS[0, 3, 2, 1] + 1, PIXELS[0, 3, 2, 1], 1, 60) if part else None
    assert result == LayerResult("preprocess", "mobile-224", "chelsea.jpg", checks, element=element)
    assert not result


def test_preprocess_shows_the_worst_of_many() -> None:
    """All differ, by one unit in the last place but for one value."""
    ours = np.nextafter(PIXELS, np.float32(2))
    ours[0, 3, 2, 1] += 0.5
    element = compare.preprocess("mobile-224", "chelsea.jpg", (DECODED, ours), (DECODED, PIXELS)).element
    assert element
    assert (element.index, element.exceeding) == ((0, 3, 2, 1), 60)


@pytest.mark.parametrize("part", [0, 1], ids=["decoded", "input"])
@pytest.mark.parametrize("change", ["shape", "dtype"])
def test_preprocess_of_another_shape_or_dtype_fails(part: int, change: str) -> None:
    """Though the values be the same; which of the two it is, and what both sides have, is named."""
    official = DECODED, PIXELS
    other = official[part].astype(np.float64) if change == "dtype" else official[part][..., :1]
    ours = (other, PIXELS) if part == 0 else (DECODED, other)
    result = compare.preprocess("mobile-224", "chelsea.jpg", ours, official)
    both = [f"{array.dtype} {array.shape}" for array in (other, official[part])]
    problem = f"{('decoded', 'input')[part]}: the candidate has {both[0]}, TensorFlow {both[1]}"
    assert result == LayerResult("preprocess", "mobile-224", "chelsea.jpg", problem=problem)


VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_result_by_digest_passes_only_if_both_are_the_same() -> None:
    same, other = (
        compare.digest("exact-float32", "n", "conv0", VALUES, (None, 3), "ab", text) for text in ("ab", "ac")
    )
    assert (bool(same), bool(other)) == (True, False)
    assert same == LayerResult("exact-float32", "n", "conv0", (Check("digests that differ", 0, 0),))
    assert other.notes == ("digest ab, expected ac: there are no values to compare with",)
    assert other.margin == float("inf")


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        (VALUES.T, "the candidate has float32 (3, 2), the official network float32 (None, 3)"),
        (VALUES.astype(np.float64), "the candidate has float64 (2, 3), the official network float32 (None, 3)"),
        (VALUES + np.float32(np.inf), "not finite: 6 values"),
    ],
)
def test_what_can_be_told_without_values_is_told(actual: np.ndarray, said: str) -> None:
    result = compare.digest("exact-float32", "n", "conv0", actual, (None, 3), "ab", "ab")
    assert result == LayerResult("exact-float32", "n", "conv0", problem=said)


def test_the_norm_and_tensorflows_own_distance_are_kept() -> None:
    """For the report's curves."""
    truth = np.random.default_rng(0).normal(size=SHAPE)
    official = metrics.distance(truth.astype(np.float32), truth)
    result = compare.float32("n", "conv0", truth.astype(np.float32), truth, official, independent=1e6)
    assert (result.norm, result.official) == (metrics.norm(truth), official.l2)
    result = compare.float64("n", "conv0", truth, truth)
    assert (result.norm, result.official) == (metrics.norm(truth), None)
