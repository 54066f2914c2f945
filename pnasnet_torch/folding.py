"""A convolution and the batch norm behind it as one convolution."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.packed import PackedConv2d

ALL = slice(None)


def _weights(conv: nn.Conv2d, bn: BatchNorm, channels: slice = ALL) -> tuple[Tensor, Tensor]:
    """Weight and bias of `conv` with `channels` of `bn` behind it, computed in float64 and rounded once."""
    state = bn.state_dict()
    mean, var, gamma, beta = (
        state[name].double()[channels] for name in ("running_mean", "running_var", "weight", "bias")
    )
    weight, bias = fuse_conv_bn_weights(conv.weight.double(), None, mean, var, bn.eps, gamma, beta)
    return weight.to(conv.weight.dtype), bias.to(conv.weight.dtype)


def fused(conv: nn.Conv2d, bn: BatchNorm, channels: slice = ALL) -> PackedConv2d:
    """`conv` with `channels` of `bn` behind it."""
    return PackedConv2d(conv, *_weights(conv, bn, channels))


def first(conv: nn.Conv2d, bn: BatchNorm) -> nn.Conv2d:
    """The first convolution; its output, and so every map, lies in channels_last."""
    folded = deepcopy(conv)
    folded.weight, folded.bias = (nn.Parameter(tensor) for tensor in _weights(conv, bn))
    return folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
