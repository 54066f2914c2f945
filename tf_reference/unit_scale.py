"""Pairs of gamma and variance with which a batch norm multiplies by exactly 1, on TensorFlow and in exact rounding.

Where variance + epsilon is a power of 4, and gamma its root, nothing is rounded in whatever order it is computed: those
are taken where TensorFlow allows. But TensorFlow computes rsqrt in float32 from an approximate instruction of the
processor: on some, rsqrt(1) is 1 - 2^-23 inside a vector and 1 in the channels left over behind the last whole one. So
there are other candidates, for which correct rounding gives 1 in the usual order, and TensorFlow itself is asked,
channel by channel, for which of all of them it gives 1 too.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from tf_reference.compat import tensorflow

CANDIDATES = 256
# Powers of 4 from which float32 and float64 can take the official epsilon, 0.001, and add it again without rounding.
POWERS_OF_4 = tuple(4.0**exponent for exponent in range(-4, 8))


@dataclass(frozen=True)
class UnitScales:
    """`gamma[k]` and `variance[k]` make a unit scale in channel c where `fits[k, c]`; the first ones `in_any_order`."""

    gamma: np.ndarray
    variance: np.ndarray
    fits: np.ndarray
    in_any_order: int

    def choose(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A fitting pair for each channel, at random: gamma and variance, both (channels,)."""
        if not self.fits.any(axis=0).all():
            raise ArithmeticError("on this processor, TensorFlow's batch norm has no unit scale in some channels")
        better = np.arange(len(self.fits))[:, None] < self.in_any_order
        rows = np.where(self.fits, rng.random(self.fits.shape) + better, -1).argmax(axis=0)
        return self.gamma[rows], self.variance[rows]


@cache
def unit_scales(channels: int, dtype: str, epsilon: float) -> UnitScales:
    """The pairs for a batch norm of so many channels: fused in float32, unfused in float64, as in the official code."""
    kind = np.dtype(dtype).type
    powers = np.array(POWERS_OF_4, dtype) - kind(epsilon)
    powers = powers[powers + kind(epsilon) == np.array(POWERS_OF_4, dtype)]
    random = np.random.default_rng(channels).uniform(0.3, 3.0, CANDIDATES).astype(dtype)
    variance = np.concatenate([powers, random])
    inverse = kind(1) / np.sqrt(variance + kind(epsilon))
    gamma = kind(1) / inverse
    exact = inverse * gamma == 1
    gamma, variance = gamma[exact], variance[exact]
    fits = [
        _factors(np.full(channels, g), np.full(channels, v), epsilon) == 1 for g, v in zip(gamma, variance, strict=True)
    ]
    return UnitScales(gamma, variance, np.stack(fits), len(powers))


def _factors(gamma: np.ndarray, variance: np.ndarray, epsilon: float) -> np.ndarray:
    """What TensorFlow multiplies each channel by: its batch norm of ones."""
    tf = tensorflow()
    one, zero = np.ones_like(variance), np.zeros_like(variance)
    factors: np.ndarray
    if variance.dtype == np.float64:
        factors = tf.nn.batch_normalization(one, zero, variance, zero, gamma, epsilon).numpy()
    else:
        image = one.reshape(1, 1, 1, -1)
        output, *_ = tf.compat.v1.nn.fused_batch_norm(image, gamma, zero, zero, variance, epsilon, is_training=False)
        factors = output.numpy().ravel()
    return factors
