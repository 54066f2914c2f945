"""The figures that gates compare, against plain NumPy formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parity.core import metrics

FLOATS = ("float32", "float64")
SHAPES = hnp.array_shapes(min_dims=2, max_dims=4, max_side=5)
VALUES = st.floats(-1e6, 1e6, width=32)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """What came (float32) and the truth (float64), of one shape (..., C)."""
    shape = draw(SHAPES)
    actual = draw(hnp.arrays(np.float32, shape, elements=VALUES))
    return actual, draw(hnp.arrays(np.float64, shape, elements=VALUES))


@given(pairs())
def test_distance_is_that_of_the_plain_formulas(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """L2, L2 by channel and largest are NumPy's own, in float64."""
    actual, truth = pair
    difference = actual.astype(np.float64) - truth
    found = metrics.distance(actual, truth)
    by_channel = np.linalg.norm(difference.reshape(-1, truth.shape[-1]), axis=0)
    assert found.l2 == pytest.approx(np.linalg.norm(difference), rel=1e-12)
    np.testing.assert_allclose(found.by_channel, by_channel, rtol=1e-12)
    assert found.largest == pytest.approx(np.abs(difference).max(), rel=1e-12)


@given(pairs())
def test_worst_is_the_index_of_the_largest_difference(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """The index is a tuple of plain integers that points at the largest difference."""
    actual, truth = pair
    worst = metrics.distance(actual, truth).worst
    difference = np.abs(actual.astype(np.float64) - truth)
    assert difference[worst] == difference.max()
    assert {type(part) for part in worst} == {int}


def test_the_worst_index_is_found_where_it_was_planted() -> None:
    truth = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    actual = truth + 1e-3
    actual[1, 0, 3, 2] -= 1
    assert metrics.distance(actual, truth).worst == (1, 0, 3, 2)


@given(pairs())
def test_the_effective_number_is_that_of_the_formula(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """(sum of squares)^2 / sum of fourth powers, over all and by channel; from 1 to the number of values."""
    actual, truth = pair
    found = metrics.distance(actual, truth)
    rows = (actual.astype(np.float64) - truth).reshape(-1, truth.shape[-1])
    for number, values in ((found.effective, rows), *zip(found.effective_by_channel, rows.T, strict=True)):
        if values.any():
            assert number == pytest.approx((values**2).sum() ** 2 / (values**4).sum(), rel=1e-9)
            assert 1 - 1e-9 <= number <= values.size * (1 + 1e-9)
        else:
            assert number == np.inf


@given(SHAPES, st.floats(1e-12, 1e6))
def test_equal_differences_count_as_many_as_there_are(shape: tuple[int, ...], size: float) -> None:
    found = metrics.distance(np.full(shape, size), np.zeros(shape))
    assert found.effective == pytest.approx(np.prod(shape))
    assert found.effective_by_channel == pytest.approx(np.prod(shape[:-1]))


def test_one_difference_counts_as_one() -> None:
    """The channels without a difference are as if carried by infinitely many values."""
    actual = np.zeros((2, 3, 4))
    actual[1, 1, 2] = 1e-7
    found = metrics.distance(actual, np.zeros((2, 3, 4)))
    assert found.effective == pytest.approx(1)
    assert found.effective_by_channel.tolist() == pytest.approx([np.inf, np.inf, 1, np.inf])


def test_no_difference_counts_as_infinitely_many() -> None:
    truth = np.random.default_rng(0).normal(size=(2, 3))
    found = metrics.distance(truth, truth)
    assert (found.l2, found.largest, found.effective) == (0, 0, np.inf)


def test_a_float32_difference_is_taken_in_float64() -> None:
    """Half a float32 unit of rounding is seen."""
    found = metrics.distance(np.ones((1, 1), np.float32), np.full((1, 1), 1 + 2.0**-24))
    assert found.largest == 2.0**-24


def test_between_two_float32_arrays_nothing_is_rounded() -> None:
    """From 2^24 to -1 it is one more than 2^24, which float32 does not hold."""
    actual, truth = np.full((1, 1), 2.0**24, np.float32), np.full((1, 1), -1, np.float32)
    assert metrics.distance(actual, truth).largest == 2.0**24 + 1
    assert metrics.exceeding(actual, truth, 2.0**24) == 1


def test_two_infinite_values_have_no_distance() -> None:
    """It is not a number, without a warning, and so within no limit."""
    infinite = np.array([[np.inf, 1.0]])
    found = metrics.distance(infinite, infinite)
    assert np.isnan([found.l2, found.largest]).all()


@given(hnp.arrays(np.float32, SHAPES, elements=VALUES))
def test_norm_and_largest_are_those_of_the_plain_formulas(truth: np.ndarray) -> None:
    """The norm is summed in float64, whatever the array's own format."""
    assert metrics.norm(truth) == pytest.approx(np.linalg.norm(truth.astype(np.float64).ravel()), rel=1e-12)
    assert metrics.largest(truth) == np.abs(truth).max()


@given(pairs(), st.floats(0, 1e6))
def test_exceeding_counts_what_lies_beyond(pair: tuple[np.ndarray, np.ndarray], allowed: float) -> None:
    """A difference of just what is allowed does not exceed it."""
    actual, truth = pair
    differences = [abs(float(a) - float(t)) for a, t in zip(actual.ravel(), truth.ravel(), strict=True)]
    assert metrics.exceeding(actual, truth, allowed) == sum(difference > allowed for difference in differences)
    assert metrics.exceeding(actual, truth, max(differences)) == 0


@pytest.mark.parametrize("dtype", FLOATS)
def test_negative_zero_is_zero(dtype: str) -> None:
    zeros = np.zeros((2, 3), dtype)
    assert not metrics.different_bits(-zeros, zeros).any()
    assert not metrics.different_bits(zeros, -zeros).any()


@pytest.mark.parametrize("dtype", FLOATS)
@given(st.data())
def test_one_unit_in_the_last_place_is_seen(dtype: str, data: st.DataObject) -> None:
    """In either direction, of any finite value, and in that element alone."""
    expected = data.draw(hnp.arrays(dtype, (2, 3), elements=VALUES))
    actual = expected.copy()
    actual[1, 2] = np.nextafter(expected[1, 2], np.array(data.draw(st.sampled_from([-np.inf, np.inf])), dtype))
    assert np.argwhere(metrics.different_bits(actual, expected)).tolist() == [[1, 2]]
    assert not metrics.different_bits(expected.copy(), expected).any()


@pytest.mark.parametrize(
    ("dtype", "bits"), [("float32", 0x7FC00000), ("float64", 0x7FF8000000000000)], ids=["float32", "float64"]
)
def test_the_payload_of_not_a_number_counts(dtype: str, bits: int) -> None:
    """Not a number equals itself bit by bit, and differs from one with another payload and from any number."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    nans = np.array([bits, bits + 1, bits + 1], unsigned).view(dtype)
    other = np.array([bits, bits, 0], unsigned).view(dtype)
    assert metrics.different_bits(nans, other).tolist() == [False, True, True]


@given(hnp.arrays(np.float32, st.tuples(st.integers(3, 9), st.integers(3, 9), st.just(3)), elements=st.integers(-1, 1)))
def test_independent_neighbourhoods_are_counted_by_their_repetitions(image: np.ndarray) -> None:
    """(how many)^2 / sum of squared repetitions, as with every neighbourhood spelled out."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3, 3)).reshape(-1, 27)
    _, counts = np.unique(windows, axis=0, return_counts=True)
    expected = len(windows) ** 2 / (counts.astype(float) ** 2).sum()
    assert metrics.independent_neighbourhoods(image) == pytest.approx(expected)


def test_one_colour_is_one_neighbourhood_and_noise_is_all() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (20, 30, 3)).astype(np.float32)
    assert metrics.independent_neighbourhoods(np.full_like(noise, 0.3)) == 1
    assert metrics.independent_neighbourhoods(noise) == 18 * 28
