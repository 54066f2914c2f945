"""An image's answer: the five best, and the margins to being right or wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.imagenet.record import answer

LOGITS = np.array([0.5, 3.0, -1.0, 2.0, 2.5, 1.0, 0.0], np.float32)


def test_the_five_best_and_both_margins() -> None:
    """Of class 5: behind the best by 2, and before the fifth best of the others by 0.5."""
    found = answer(LOGITS, 5, "port")
    assert found.classes == (1, 4, 3, 5, 0)
    assert found.logits == (3.0, 2.5, 2.0, 1.0, 0.5)
    assert found.margins == (-2.0, 1.0)
    assert not found.correct(5, 1)
    assert found.correct(5, 5)


def test_of_equal_logits_the_lower_class_comes_first() -> None:
    assert answer(np.zeros(1001, np.float32), 3, "port").classes == (0, 1, 2, 3, 4)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_a_margin_above_zero_is_a_right_answer(seed: int, label: int) -> None:
    logits = np.random.default_rng(seed).normal(size=1001).astype(np.float32)
    found = answer(logits, label, "port")
    for rank in (1, 5):
        right = int((logits > logits[label]).sum()) < rank
        assert found.correct(label, rank) == right == (found.margin(rank) > 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_is_no_answer(bad: float) -> None:
    logits = LOGITS.copy()
    logits[4] = bad
    with pytest.raises(ValueError, match=f"port: the logit of class 4 is {bad}"):
        answer(logits, 1, "port")
