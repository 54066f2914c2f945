"""What is kept of two arrays, on any that a faulty port may give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parity.report.measure import (
    BINS,
    LEVELS,
    NOT_FINITE,
    SAMPLE,
    WORST,
    closeup,
    histogram,
    levels,
    points,
    sample_index,
    sampled,
)

Arrays = tuple[np.ndarray, np.ndarray]


@st.composite
def pairs(draw: st.DrawFn) -> Arrays:
    """Two arrays of one shape, not empty, with any values."""
    shape = draw(st.one_of(hnp.array_shapes(min_dims=2, max_dims=2), hnp.array_shapes(min_dims=4, max_dims=4)))
    kinds = st.sampled_from([np.float32, np.float64])
    return draw(hnp.arrays(draw(kinds), shape)), draw(hnp.arrays(draw(kinds), shape))


def test_a_histogram_counts_the_differences() -> None:
    actual = np.array([-2.0, 0.0, 0.0, 2.0])
    found = histogram(actual, np.zeros(4))
    assert found.scale == 2
    assert (found.counts[0], found.counts[BINS // 2], found.counts[-1]) == (1, 2, 1)


def test_equal_values_are_all_in_the_middle() -> None:
    found = histogram(np.ones(5), np.ones(5))
    assert (found.scale, found.counts[BINS // 2], found.counts.sum()) == (0, 5, 5)


def test_levels_give_the_values_back() -> None:
    """To half a level; what is not finite has a level of its own."""
    values = np.array([-1.0, 0.25, 3.0, np.nan, -np.inf])
    kept = levels(values, -1, 3)
    assert list(kept[3:]) == [NOT_FINITE] * 2
    np.testing.assert_allclose(-1 + kept[:3] / LEVELS * 4, values[:3], atol=2 / LEVELS)


def test_a_sample_is_of_all_parts() -> None:
    """Of a large array, and without regard to how it lies in memory."""
    array = np.arange(3 * 50 * 60 * 7, dtype=np.float64).reshape(3, 50, 60, 7)
    kept = sampled(array)
    assert kept.size == SAMPLE
    assert np.histogram(kept, bins=10)[0].min() > SAMPLE / 20
    assert np.array_equal(kept, sampled(np.asfortranarray(array)))
    assert len(sample_index((2, 3))[0]) == 6


def test_points_are_pairs() -> None:
    found = points(np.arange(100.0) + 0.5, np.arange(100.0), 10)
    assert found.levels.shape == (2, 10)
    assert (found.low, found.high) == (0, 90.5)


def test_the_worst_elements_are_found() -> None:
    """Largest first; the maps are those of the worst one's image and channel."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(2, 9, 11, 5))
    actual = truth + rng.normal(size=truth.shape) * 1e-3
    order = np.argsort(-np.abs(actual - truth).ravel())[:WORST]
    found = closeup(actual, truth)
    assert [index for index, _, _ in found.worst] == [np.unravel_index(place, truth.shape) for place in order]
    index, port, expected = found.worst[0]
    assert (port, expected) == (actual[index], truth[index])
    assert found.difference
    assert found.difference.levels.shape == (9, 11)
    assert found.difference.levels[index[1:3]] in (0, LEVELS)


def test_what_is_not_finite_is_the_worst() -> None:
    actual = np.zeros((1, 3, 3, 2))
    actual[0, 1, 1, 1] = np.nan
    found = closeup(actual, np.ones_like(actual))
    assert found.worst[0][0] == (0, 1, 1, 1)
    assert found.port
    assert found.port.levels[1, 1] == NOT_FINITE


def test_a_vector_has_no_maps() -> None:
    found = closeup(np.zeros((1, 10)), np.ones((1, 10)))
    assert (found.port, found.expected, found.difference) == (None, None, None)
    assert len(found.worst) == WORST


@pytest.mark.filterwarnings("error")
@given(pairs())
def test_any_two_arrays_can_be_measured(arrays: Arrays) -> None:
    """None raises, and none warns: it would end the run."""
    actual, expected = arrays
    seen, truth = sampled(actual), sampled(expected)
    counts = histogram(seen, truth).counts
    assert counts.sum() <= actual.size
    assert points(seen, truth, 10).levels.shape[0] == 2
    assert 1 <= len(closeup(actual, expected).worst) <= WORST
