"""The integer network's batch norms hand their input on, bit for bit, whatever the processor's reciprocal root is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_reference import unit_scale
from tf_reference.unit_scale import EPSILON, fitted, multipliers

SCOPE = "cell_0/beginning_bn"
by_channels = pytest.mark.parametrize("channels", [3, 13, 27, 32, 54, 270, 4320])
by_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def variables(channels: int, dtype: str) -> dict[str, np.ndarray]:
    """Return the variables of one batch norm: powers of 4, and their roots with either sign."""
    rng = np.random.default_rng(channels)
    powers = 4.0 ** rng.integers(-4, 8, channels)
    signs = rng.choice([-1, 1], channels)
    variance = powers.astype(dtype) - np.dtype(dtype).type(EPSILON)
    return {f"{SCOPE}/gamma": (signs * np.sqrt(powers)).astype(dtype), f"{SCOPE}/moving_variance": variance}


def parameters(values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the batch norm's gamma and its variance."""
    return values[f"{SCOPE}/gamma"], values[f"{SCOPE}/moving_variance"]


@by_channels
@by_dtype
def test_tensorflow_s_batch_norm_changes_nothing_but_the_sign(channels: int, dtype: str, tf: Any) -> None:
    """On this processor, fused in float32 and unfused in float64."""
    x_nhwc = np.random.default_rng(channels).normal(0, 10, (2, 3, 5, channels)).astype(dtype)
    exact = variables(channels, dtype)
    zero = np.zeros(channels, dtype)
    gamma, variance = parameters(fitted(exact))
    if dtype == "float32":
        fused = tf.compat.v1.nn.fused_batch_norm
        output, _, _ = fused(x_nhwc, gamma, zero, zero, variance, epsilon=EPSILON, is_training=False)
    else:
        output = tf.nn.batch_normalization(x_nhwc, zero, variance, zero, gamma, EPSILON)
    np.testing.assert_array_equal(output.numpy(), x_nhwc * np.sign(gamma))
    np.testing.assert_array_equal(variance, parameters(exact)[1])


@by_dtype
def test_nothing_but_gamma_is_changed_and_that_by_little(dtype: str) -> None:
    exact = variables(54, dtype) | {"conv0/weights": np.ones((3, 3, 3, 54), dtype)}
    for_tensorflow = fitted(exact)
    assert {name for name in exact if for_tensorflow[name] is not exact[name]} <= {f"{SCOPE}/gamma"}
    np.testing.assert_allclose(parameters(for_tensorflow)[0], parameters(exact)[0], rtol=1e-6)


@given(st.integers(-1000, 1000), st.integers(1, 40))
def test_any_approximate_root_is_made_up_for(units: int, whole: int) -> None:
    """A processor whose reciprocal root is off by so many units in the first channels, and exact in the others."""

    def approximate(gamma: np.ndarray, variance: np.ndarray) -> np.ndarray:
        root = 1 / np.sqrt(variance + np.float32(EPSILON))
        steps = np.where(np.arange(len(root)) < whole, units, 0)
        exponents = np.where(steps < 0, -24, -23)  # floats lie twice as close below a power of 2
        return gamma * (root * (1 + steps * 2.0**exponents)).astype(np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit_scale, "multipliers", approximate)
        patch.setattr(unit_scale, "APPROXIMATION", 2.0**-12)
        gamma, variance = parameters(fitted(variables(32, "float32")))
    assert gamma.dtype == np.float32
    np.testing.assert_array_equal(approximate(gamma, variance), np.sign(gamma))


def test_what_is_no_approximation_is_not_made_up_for() -> None:
    """As with another epsilon than the official one."""
    exact = variables(32, "float32")
    exact[f"{SCOPE}/moving_variance"] += 0.009
    with pytest.raises(ArithmeticError, match=r"batch norm cell_0/beginning_bn multiplies channel \d+ by .*expected"):
        fitted(exact)


def test_a_multiplier_is_what_the_batch_norm_does() -> None:
    gamma = np.array([2, 3], np.float32)
    variance = np.array([4 - EPSILON, 9 - EPSILON], np.float32)
    np.testing.assert_allclose(multipliers(gamma, variance), [1, 1], rtol=1e-6)
