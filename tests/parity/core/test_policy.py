"""What the gates allow is frozen, and changes only on purpose."""

from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.core.policy import FLOAT32, FLOAT64, GATES, IMAGENET, Float32Policy, Float64Policy, ImagenetPolicy

PLAIN = st.sampled_from([1.25, 2.0])
EFFECTIVE = st.floats(1, 1e9) | st.just(np.inf)


def test_the_constants_are_the_calibrated_ones() -> None:
    """Whoever changes one repeats the calibration of docs/calibration.md, and then changes it here as well."""
    assert asdict(FLOAT64) == {"relative_l2": 1e-10, "relative_largest": 1e-9, "handed_on": 0.03}
    factors = {"layer": 1.25, "channel": 2.0, "largest": 2.0, "chance": 12.0}
    floors = {"channel_values": 100, "floor": 8 * 2.0**-24, "floor_of_small_maps": 64 * 2.0**-24}
    assert asdict(FLOAT32) == factors | floors
    assert asdict(IMAGENET) == {"logits": 4.0}


def test_the_gates_are_ordered_from_the_strongest_on() -> None:
    assert GATES == ("preprocess", "structure", "exact-float32", "exact-float64", "float64", "float32", "imagenet")


@pytest.mark.parametrize("policy", [FLOAT64, FLOAT32, IMAGENET], ids=["float64", "float32", "imagenet"])
def test_a_policy_is_frozen(policy: Float64Policy | Float32Policy | ImagenetPolicy) -> None:
    for name in asdict(policy):
        with pytest.raises(FrozenInstanceError):
            setattr(policy, name, 1e9)


@given(PLAIN, EFFECTIVE)
def test_the_factor_is_never_below_the_plain_one(plain: float, effective: float) -> None:
    assert float(FLOAT32.factor(plain, effective)) >= plain


@given(PLAIN, EFFECTIVE, EFFECTIVE)
def test_fewer_values_never_allow_less(plain: float, one: float, other: float) -> None:
    few, many = sorted((one, other))
    assert float(FLOAT32.factor(plain, few)) >= float(FLOAT32.factor(plain, many))


@pytest.mark.parametrize(
    ("plain", "many", "few"),
    [pytest.param(FLOAT32.layer, 2900, 2880, id="layer"), pytest.param(FLOAT32.channel, 300, 299, id="channel")],
)
def test_the_factor_is_plain_for_many_values(plain: float, many: int, few: int) -> None:
    """Where chance stops to count: from 2,900 values on for a layer, from 300 on for a channel."""
    assert FLOAT32.factor(plain, np.array([many, 1e6, np.inf])).tolist() == [plain] * 3
    assert float(FLOAT32.factor(plain, few)) > plain


@pytest.mark.parametrize(("effective", "factor"), [(1, np.e**12), (4, np.e**6), (144, np.e)])
def test_the_factor_for_few_values(effective: int, factor: float) -> None:
    """exp(12 / sqrt(effective number of values))."""
    assert float(FLOAT32.factor(FLOAT32.layer, effective)) == pytest.approx(factor)


@pytest.mark.parametrize(("pixels", "units"), [(1, 64), (99, 64), (100, 8), (109561, 8)])
def test_the_floor_is_higher_for_maps_of_fewer_than_100_pixels(pixels: int, units: int) -> None:
    """In units of rounding to float32."""
    assert FLOAT32.floor_for(pixels, 1) == units * 2.0**-24


@pytest.mark.parametrize(("sums", "units"), [(1, 8), (64, 8), (10_000, 100), (54_450, 54_450**0.5)])
def test_the_floor_of_a_sum_is_a_random_walk_of_its_roundings_where_that_is_more(sums: int, units: float) -> None:
    assert FLOAT32.floor_for(100, sums) == units * 2.0**-24
