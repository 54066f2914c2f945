"""A convolution and the batch norm behind it as one convolution."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.packed import PackedConv2d


def _weights(conv: nn.Conv2d, bn: BatchNorm) -> tuple[Tensor, Tensor]:
    """Return weight and bias of `conv` with `bn` behind it, computed in float64 and rounded once."""
    state = {name: tensor.double() for name, tensor in bn.state_dict().items()}
    weight, bias = fuse_conv_bn_weights(
        conv.weight.double(),
        None,  # no convolution of the network has a bias
        state["running_mean"],
        state["running_var"],
        bn.eps,
        state["weight"],
        state["bias"],
    )
    return weight.to(conv.weight.dtype), bias.to(conv.weight.dtype)


def fused(conv: nn.Conv2d, bn: BatchNorm) -> PackedConv2d:
    """Return `conv` with `bn` behind it as one convolution, whose weights can be packed."""
    return PackedConv2d(conv, *_weights(conv, bn))


def first(conv: nn.Conv2d, bn: BatchNorm) -> nn.Conv2d:
    """Return the first convolution with `bn` behind it; its output, and so every map, lies in channels_last."""
    # A copy, not a PackedConv2d, which pads SAME: this one has padding VALID.
    folded = deepcopy(conv)
    weight, bias = _weights(conv, bn)
    folded.weight = nn.Parameter(weight)
    folded.bias = nn.Parameter(bias)
    return folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
