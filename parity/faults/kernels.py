"""Faults of kernels and of activations.

Tensors are (N, C, H, W), kernels (outputs, inputs, rows, columns); a depthwise one has a channel for each output.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault
from parity.faults.padding import DEPTHWISE, POOL
from parity.faults.plant import changed, followed_by, preceded_by, replaced_by
from parity.faults.sites import Places

POINTWISE = r".*\.(pointwise|1x1|prev_1x1)"
RELU = r".*\.relu(_\d)?"


def _grouped(weight: Tensor) -> Tensor:
    """Return a kernel whose first half of outputs sees the first half of inputs alone, and so the second."""
    half_out = weight.shape[0] // 2
    half_in = weight.shape[1] // 2
    mask = torch.ones_like(weight)
    mask[:half_out, half_in:] = 0
    mask[half_out:, :half_in] = 0
    return weight * mask


def _reshaped(weight: Tensor) -> Tensor:
    """Return a 1x1 kernel whose values were taken in the order of inputs x outputs, TensorFlow's."""
    return weight.permute(1, 0, 2, 3).reshape(weight.shape)


def _reshaped_depthwise(weight: Tensor) -> Tensor:
    """Return a depthwise kernel whose values were taken in the order of rows x columns x channels, TensorFlow's."""
    return weight.permute(2, 3, 0, 1).reshape(weight.shape)


def _square(places: Places) -> list[str]:
    """Return the 1x1 convolutions with as many outputs as inputs, of which a transposed kernel has the right shape."""
    return [name for name in places.layers(POINTWISE) if places.keeps_channels(name)]


KERNELS = (
    Fault("depthwise kernel transposed", lambda p: p.layers(DEPTHWISE), changed("weight", lambda w: w.transpose(2, 3))),
    Fault("depthwise kernel upside down", lambda p: p.layers(DEPTHWISE), changed("weight", lambda w: w.flip(2))),
    # A convolution in the sense of mathematics; both frameworks compute a correlation.
    Fault(
        "depthwise kernel flipped both ways", lambda p: p.layers(DEPTHWISE), changed("weight", lambda w: w.flip(2, 3))
    ),
    Fault(
        "depthwise kernels of the next channel",
        lambda p: p.layers(DEPTHWISE),
        changed("weight", lambda w: w.roll(1, 0)),
    ),
    Fault(
        "depthwise kernel reshaped, not transposed",
        lambda p: p.layers(DEPTHWISE),
        changed("weight", _reshaped_depthwise),
    ),
    Fault("depthwise kernel scaled", lambda p: p.layers(DEPTHWISE), changed("weight", lambda w: w * 2)),
    Fault("conv0 kernel transposed", lambda _: ["conv0"], changed("weight", lambda w: w.transpose(2, 3))),
    Fault("conv0 kernel for BGR", lambda _: ["conv0"], changed("weight", lambda w: w.flip(1))),
    Fault("1x1 kernel transposed", _square, changed("weight", lambda w: w.transpose(0, 1))),
    Fault("1x1 kernel reshaped, not transposed", lambda p: p.layers(POINTWISE), changed("weight", _reshaped)),
    Fault("1x1 kernel: inputs in reverse", lambda p: p.layers(POINTWISE), changed("weight", lambda w: w.flip(1))),
    Fault("1x1 kernel: outputs off by one", lambda p: p.layers(POINTWISE), changed("weight", lambda w: w.roll(1, 0))),
    Fault("1x1 kernel in two groups", lambda p: p.layers(POINTWISE), changed("weight", _grouped)),
)
ACTIVATIONS = (
    Fault("ReLU missing", lambda p: p.layers(RELU), replaced_by(lambda x: x)),
    Fault("ReLU6 for ReLU", lambda p: p.layers(RELU), replaced_by(F.relu6)),
    Fault("leaky ReLU", lambda p: p.layers(RELU), replaced_by(F.leaky_relu)),
    Fault("ReLU behind a convolution", lambda p: p.layers(POINTWISE), followed_by(F.relu)),
    Fault("ReLU behind a batch norm", lambda p: p.layers(r".*bn_sep.*|conv0_bn|.*beginning_bn"), followed_by(F.relu)),
    # On the way from one layer to the next: each of them is right by itself.
    Fault("ReLU before the max-pool", lambda p: p.layers(POOL), preceded_by(F.relu), kind="wiring"),
    Fault(
        "ReLU between convolution and batch norm",
        lambda p: p.layers(r".*bn_sep.*|.*beginning_bn"),
        preceded_by(F.relu),
        kind="wiring",
    ),
)
