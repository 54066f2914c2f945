"""A chosen pair of gamma and variance makes every batch norm hand its input on, bit for bit."""

from typing import Any

import numpy as np
import pytest
import torch

from tf_reference.unit_scale import POWERS_OF_4, UnitScales, unit_scales

EPSILON = 0.001
CHANNELS = [3, 13, 27, 32, 54, 270]
DRAWS = 5
by_channels = pytest.mark.parametrize("channels", CHANNELS)
by_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def choices(channels: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [unit_scales(channels, dtype, EPSILON).choose(rng) for _ in range(DRAWS)]


def pixels(channels: int, dtype: str) -> np.ndarray:
    """A map (2, 3, 5, channels) with fractions of every kind and both signs."""
    return np.random.default_rng(channels).normal(0, 10, (2, 3, 5, channels)).astype(dtype)


@by_channels
def test_tensorflow_s_fused_batch_norm_changes_nothing(channels: int, tf: Any) -> None:
    x, zero = pixels(channels, "float32"), np.zeros(channels, np.float32)
    for gamma, variance in choices(channels, "float32"):
        fused = tf.compat.v1.nn.fused_batch_norm
        found, _, _ = fused(x, gamma, zero, zero, variance, epsilon=EPSILON, is_training=False)
        np.testing.assert_array_equal(found.numpy(), x)


@by_channels
def test_tensorflow_s_unfused_batch_norm_changes_nothing(channels: int, tf: Any) -> None:
    x, zero = pixels(channels, "float64"), np.zeros(channels)
    for gamma, variance in choices(channels, "float64"):
        found = tf.nn.batch_normalization(x, zero, variance, zero, gamma, EPSILON)
        np.testing.assert_array_equal(found.numpy(), x)


@by_channels
@by_dtype
def test_pytorch_s_batch_norm_changes_nothing(channels: int, dtype: str) -> None:
    x = torch.from_numpy(pixels(channels, dtype).transpose(0, 3, 1, 2).copy())
    zero = torch.zeros(channels, dtype=x.dtype)
    for pair in choices(channels, dtype):
        gamma, variance = (torch.from_numpy(array) for array in pair)
        for layout in (torch.contiguous_format, torch.channels_last):
            y = x.contiguous(memory_format=layout)
            found = torch.nn.functional.batch_norm(y, zero, variance, gamma, zero, eps=EPSILON)
            np.testing.assert_array_equal(found.numpy(), x.numpy())


@by_channels
@by_dtype
def test_correct_rounding_gives_one(channels: int, dtype: str) -> None:
    one = np.dtype(dtype).type(1)
    for gamma, variance in choices(channels, dtype):
        assert gamma.shape == variance.shape == (channels,)
        assert gamma.dtype == variance.dtype == dtype
        assert (one / np.sqrt(variance + one.dtype.type(EPSILON)) * gamma == 1).all()


@by_dtype
def test_the_pairs_differ_from_channel_to_channel(dtype: str) -> None:
    """A swap of two channels would not be seen otherwise."""
    gamma, variance = choices(270, dtype)[0]
    assert len(np.unique(gamma)) >= len(POWERS_OF_4) == 12
    assert variance.min() > 0


@by_dtype
def test_pairs_that_are_exact_in_any_order_are_preferred(dtype: str) -> None:
    """Wherever TensorFlow multiplies by 1 with any of them."""
    scales = unit_scales(54, dtype, EPSILON)
    powers = scales.variance[: scales.in_any_order] + np.dtype(dtype).type(EPSILON)
    assert set(powers.tolist()) == set(POWERS_OF_4)
    fits = scales.fits[: scales.in_any_order].any(axis=0)
    _, variance = scales.choose(np.random.default_rng(0))
    assert np.isin(variance[fits] + np.dtype(dtype).type(EPSILON), POWERS_OF_4).all()


def test_a_seed_s_choice_is_reproducible() -> None:
    for one, other in zip(choices(27, "float32"), choices(27, "float32"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_fitting_pairs_are_chosen() -> None:
    rows, fits = np.arange(3.0), np.array([[True, False], [False, False], [False, True]])
    scales = UnitScales(rows, rows + 10, fits, 1)
    for seed in range(20):
        gamma, variance = scales.choose(np.random.default_rng(seed))
        assert (gamma.tolist(), variance.tolist()) == ([0, 2], [10, 12])


def test_a_channel_without_a_fitting_pair_is_an_error() -> None:
    scales = UnitScales(np.ones(2), np.ones(2), np.array([[True, False], [True, False]]), 0)
    with pytest.raises(ArithmeticError, match="no unit scale"):
        scales.choose(np.random.default_rng(0))
