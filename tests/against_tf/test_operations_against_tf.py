"""Each operation of the port against TensorFlow's own, at random sizes."""

from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pnasnet_torch.operations import BatchNorm, Clip, SameConv2d, SameMaxPool2d, SeparableConv2d, Subsample
from pnasnet_torch.padding import same_padding
from tf_reference.compat import tensorflow

SIDES, STRIDES, KERNELS = st.integers(1, 16), st.sampled_from([1, 2]), st.sampled_from([1, 3, 5, 7])
SEEDS = st.integers(0, 2**32 - 1)
EXACT = 0.0
# Relative L2 of a random operation; float32 leaves its own rounding, float64 next to none.
ALLOWED = {"float64": 1e-12, "float32": 1e-5}


@st.composite
def maps(draw: st.DrawFn, channels: int = 3) -> tuple[np.ndarray, np.random.Generator, float]:
    """A map (2, H, W, channels) in float64 or float32, random numbers for weights, and the error allowed.

    Half of them are of small integers, and so are the weights then: nothing is rounded, nothing may differ.
    """
    rng = np.random.default_rng(draw(SEEDS))
    dtype, integers = draw(st.sampled_from(sorted(ALLOWED))), draw(st.booleans())
    rng = Integers(rng.bit_generator) if integers else rng
    x_nhwc = rng.standard_normal((2, draw(SIDES), draw(SIDES), channels)).astype(dtype)
    return x_nhwc, rng, EXACT if integers else ALLOWED[dtype]


class Integers(np.random.Generator):
    """Gives small integers for normal numbers."""

    def standard_normal(self, size: Any = None, *args: Any, **options: Any) -> Any:
        return self.integers(-4, 5, size).astype(np.float64)


def run(module: nn.Module, x_nhwc: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
    """The module's output, NHWC, with its parameters set."""
    module = module.to(torch.from_numpy(x_nhwc).dtype).eval()
    state = {
        name.replace("__", "."): torch.from_numpy(np.ascontiguousarray(array)) for name, array in parameters.items()
    }
    module.load_state_dict(state, strict=True)
    with torch.no_grad():
        result: np.ndarray = module(torch.from_numpy(x_nhwc.transpose(0, 3, 1, 2).copy())).numpy()
    return result.transpose(0, 2, 3, 1)


def assert_near(actual: np.ndarray, expected: Any, allowed: float) -> None:
    expected = np.asarray(expected)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if allowed == EXACT:
        np.testing.assert_array_equal(actual, expected)
    assert np.linalg.norm(actual - expected) <= allowed * np.linalg.norm(expected)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_same_padding_places_windows_as_tensorflow(size: int, kernel: int, stride: int) -> None:
    """A kernel of powers of two over a row of ones tells which of its pixels fell inside."""
    tf = tensorflow()
    powers = (2.0 ** np.arange(kernel)).reshape(1, kernel, 1, 1)
    found = tf.nn.conv2d(np.ones((1, 1, size, 1)), powers, [1, 1, stride, 1], "SAME").numpy().ravel()
    before, after = same_padding(size, kernel, stride)
    row = np.concatenate([np.zeros(before), np.ones(size), np.zeros(after)])
    windows = np.lib.stride_tricks.sliding_window_view(row, kernel)[::stride]
    assert found.tolist() == (windows @ powers.ravel()).tolist()


@given(maps(), KERNELS, STRIDES, st.integers(1, 5))
def test_convolution(case: Any, kernel: int, stride: int, filters: int) -> None:
    x, rng, allowed = case
    weights_hwio = rng.standard_normal((kernel, kernel, 3, filters)).astype(x.dtype)
    expected = tensorflow().nn.conv2d(x, weights_hwio, stride, "SAME")
    found = run(SameConv2d(3, filters, kernel, stride), x, weight=weights_hwio.transpose(3, 2, 0, 1))
    assert_near(found, expected, allowed)


@given(maps(), KERNELS, STRIDES)
def test_depthwise_convolution(case: Any, kernel: int, stride: int) -> None:
    x, rng, allowed = case
    weights_hwc1 = rng.standard_normal((kernel, kernel, 3, 1)).astype(x.dtype)
    expected = tensorflow().nn.depthwise_conv2d(x, weights_hwc1, [1, stride, stride, 1], "SAME")
    found = run(SameConv2d(3, 3, kernel, stride, groups=3), x, weight=weights_hwc1.transpose(2, 3, 0, 1))
    assert_near(found, expected, allowed)


@given(maps(), KERNELS, STRIDES, st.integers(1, 5))
def test_separable_convolution(case: Any, kernel: int, stride: int, filters: int) -> None:
    x, rng, allowed = case
    depthwise_hwc1 = rng.standard_normal((kernel, kernel, 3, 1)).astype(x.dtype)
    pointwise_hwio = rng.standard_normal((1, 1, 3, filters)).astype(x.dtype)
    strides = [1, stride, stride, 1]
    expected = tensorflow().nn.separable_conv2d(x, depthwise_hwc1, pointwise_hwio, strides, "SAME")
    parameters = {
        "depthwise__weight": depthwise_hwc1.transpose(2, 3, 0, 1),
        "pointwise__weight": pointwise_hwio.transpose(3, 2, 0, 1),
    }
    assert_near(run(SeparableConv2d(3, filters, kernel, stride), x, **parameters), expected, allowed)


@given(maps(), st.sampled_from([2, 3, 5]), STRIDES, st.sampled_from([0, 100]))
def test_max_pool(case: Any, kernel: int, stride: int, below: int) -> None:
    x = case[0] - below
    # TensorFlow takes a NumPy array for float32 here.
    expected = tensorflow().nn.max_pool2d(tensorflow().constant(x), kernel, stride, "SAME")
    assert_near(run(SameMaxPool2d(kernel, stride), x), expected, EXACT)


@given(maps(), st.sampled_from([0, 1]))
def test_subsample(case: Any, offset: int) -> None:
    """As `factorized_reduction` does it: pad behind, cut in front, and pool single pixels with stride 2."""
    x, tf = case[0], tensorflow()
    padded = tf.pad(x, [[0, 0], [0, offset], [0, offset], [0, 0]])[:, offset:, offset:, :]
    expected = tf.nn.avg_pool2d(padded, 1, 2, "VALID")
    assert_near(run(Subsample(offset), x), expected, EXACT)


def batch_norm_parameters(rng: np.random.Generator, dtype: np.dtype[Any]) -> dict[str, np.ndarray]:
    signed, positive = rng.uniform(-2, 2, (2, 3)).astype(dtype), rng.uniform(1e-4, 3, 3).astype(dtype)
    return {"weight": signed[0], "bias": signed[1], "running_mean": signed[1][::-1], "running_var": positive}


@given(maps())
def test_batch_norm(case: Any) -> None:
    x, rng, _ = case
    values = batch_norm_parameters(rng, x.dtype)
    mean, variance = values["running_mean"], values["running_var"]
    expected = tensorflow().nn.batch_normalization(x, mean, variance, values["bias"], values["weight"], 1e-3)
    assert_near(run(BatchNorm(3), x, **values), expected, 10 * ALLOWED[x.dtype.name])


@given(maps())
def test_fused_batch_norm(case: Any) -> None:
    x, rng = case[0].astype(np.float32), case[1]
    values = batch_norm_parameters(rng, x.dtype)
    mean, variance = values["running_mean"].copy(), values["running_var"]
    fused = tensorflow().compat.v1.nn.fused_batch_norm
    expected, _, _ = fused(x, values["weight"], values["bias"], mean, variance, epsilon=1e-3, is_training=False)
    assert_near(run(BatchNorm(3), x, **values), expected, 10 * ALLOWED["float32"])


@given(maps())
def test_clip(case: Any) -> None:
    x = 4 * case[0]
    assert_near(run(Clip(), x), tensorflow().clip_by_value(x, -6, 6), EXACT)


@given(maps(channels=2))
def test_relu_keeps_exact_values(case: Any) -> None:
    x = 4 * case[0]
    assert_near(run(nn.ReLU(), x), tensorflow().nn.relu(x), EXACT)
    assert_near(run(nn.ReLU6(), x), tensorflow().nn.relu6(x), EXACT)
