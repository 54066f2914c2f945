"""The scales of the integer network as this processor's TensorFlow has to be given them.

Each of its batch norms multiplies by gamma / sqrt(variance + epsilon), which is exactly 1 or -1. Correct rounding gives
that in whatever order it is computed, since variance + epsilon is a power of 4 and gamma its root. But in float32
TensorFlow takes the reciprocal root from an approximate instruction of the processor and one step of Newton's: on
Intel, rsqrt(1) is 1 - 2^-23 inside of a vector, and 1 in the channels left over behind the last whole one.

There TensorFlow alone gets another gamma, the one that makes up for it. With r the reciprocal root that it computes,
taken for a power of 4 so that r = 2^k (1 + e) with a small e, the correctly rounded quotient 1 / r times r rounds to 1:
if e is an even number of units of 2^-24, the quotient makes up for it but for e^2, and if it is odd, the quotient is
rounded up by half a unit, which the product loses to the nearest even number. So there is always one.
"""

from collections.abc import Mapping

import numpy as np

from tf_reference.compat import tensorflow

# The official network's, as the official source has it.
EPSILON = 0.001
# What a processor's approximation may be off by, and a fitted gamma makes up for: anything more is something else.
APPROXIMATION = 2.0**-20


def fitted(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the integer network's `variables`, by TensorFlow name, with gammas by which TensorFlow multiplies exactly.

    Raise ArithmeticError for a batch norm whose gamma cannot be fitted.
    """
    with_fitted = dict(variables)
    for name in variables:
        scope, _, last = name.rpartition("/")
        if last == "gamma":
            variance = variables[f"{scope}/moving_variance"]
            with_fitted[name] = _fitted_gamma(scope, variables[name], variance)
    return with_fitted


def _fitted_gamma(scope: str, gamma: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the gamma by which the batch norm `scope` multiplies by 1 or -1, all (channels,)."""
    signs = np.sign(gamma)
    factors = multipliers(gamma, variance)
    near = np.abs(factors - signs) <= APPROXIMATION
    # Where a factor is exact, dividing by 1 leaves gamma as it is.
    corrected = gamma / np.abs(factors)
    fitted_gamma = np.where(near, corrected, gamma)
    # Measured again: what TensorFlow makes of it decides, and not the argument above.
    factors = multipliers(fitted_gamma, variance)
    wrong = np.flatnonzero(factors != signs)
    if wrong.size:
        channel = int(wrong[0])
        raise ArithmeticError(
            f"on this processor, TensorFlow's batch norm {scope} multiplies channel {channel} by {factors[channel]!r} "
            f"where gamma is {fitted_gamma[channel]!r} and the variance {variance[channel]!r}: expected "
            f"{signs[channel]!r}; {wrong.size} of {gamma.size} channels are so"
        )
    return fitted_gamma


def multipliers(gamma: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return what TensorFlow multiplies each channel by: its batch norm of ones. All three are (channels,).

    It is fused in float32 and unfused in float64, as in the official code.
    """
    tf = tensorflow()
    one = np.ones_like(variance)
    zero = np.zeros_like(variance)
    factors: np.ndarray
    if variance.dtype == np.float64:
        output = tf.nn.batch_normalization(one, zero, variance, zero, gamma, EPSILON)
        factors = output.numpy()
    else:
        # One pixel will do: the scale is computed for each channel, whatever the image.
        image_nhwc = one.reshape(1, 1, 1, -1)
        v1 = tf.compat.v1
        output, *_ = v1.nn.fused_batch_norm(image_nhwc, gamma, zero, zero, variance, EPSILON, is_training=False)
        factors = output.numpy().ravel()
    return factors
