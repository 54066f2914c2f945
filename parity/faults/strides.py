"""Faults of strides, and of the max-pool. Tensors are (N, C, H, W)."""

import re
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault
from parity.faults.padding import DEPTHWISE, POOL
from parity.faults.plant import Plant, part, preceded_by, replace, replaced_by
from pnasnet_torch import PNASNet
from pnasnet_torch.padding import same_padding


def _stride(model: PNASNet, site: str, stride: int) -> None:
    """Give a convolution another stride."""
    part(model, site).stride = (stride, stride)


def _unstrided_pool(model: PNASNet, site: str) -> None:
    """Give a max-pool the stride 1."""
    part(model, site).stride = 1


def _stride_to(other: Callable[[str], str]) -> Plant:
    """Return a plant that moves the stride of a depthwise convolution to the layer that `other` names."""
    return partial(_move_stride, other=other)


def _move_stride(model: PNASNet, site: str, other: Callable[[str], str]) -> None:
    """Move the stride of a depthwise convolution to the layer that `other` names."""
    _stride(model, site, 1)
    _stride(model, other(site), 2)


def _pointwise_of(site: str) -> str:
    """Return the pointwise half of a separable layer, given the depthwise one."""
    return re.sub(r"depthwise$", "pointwise", site)


def _second_of(site: str) -> str:
    """Return the depthwise convolution of the second separable layer, given that of the first."""
    return re.sub(r"_1\.depthwise$", "_2.depthwise", site)


def _dilated(model: PNASNet, site: str) -> None:
    """Spread the kernel over every second pixel, with the padding that keeps the map's size."""
    conv = part(model, site)
    padding = conv.kernel_size[0] - 1
    replace(model, site, lambda x: F.conv2d(x, conv.weight, None, 1, padding, 2, conv.groups))


def _average(model: PNASNet, site: str, counts_padding: bool) -> None:
    """Take the average for the largest, over the window or over its part inside of the map."""
    stride = part(model, site).stride

    def forward(x: Tensor) -> Tensor:
        """Return the average over each window of x."""
        rows = same_padding(x.shape[2], 3, stride)
        columns = same_padding(x.shape[3], 3, stride)
        padding = (*columns, *rows)
        average = F.avg_pool2d(F.pad(x, padding), 3, stride)
        if counts_padding:
            return average
        inside = F.pad(torch.ones_like(x), padding)
        share_inside = F.avg_pool2d(inside, 3, stride)
        return average / share_inside

    replace(model, site, forward)


def _least(model: PNASNet, site: str) -> None:
    """Take the least for the largest."""
    forward = part(model, site).forward
    replace(model, site, lambda x: -forward(-x))


STRIDES = (
    Fault(
        "stride in the pointwise half, even map",
        lambda p: p.halving(DEPTHWISE, even=True),
        _stride_to(_pointwise_of),
        at=lambda site: (site, _pointwise_of(site)),
    ),
    # There the pointwise half sees every second pixel of what it should see, and is right again.
    Fault(
        "stride in the pointwise half, odd map",
        lambda p: p.halving(DEPTHWISE, even=False),
        _stride_to(_pointwise_of),
    ),
    Fault(
        "stride in the second separable layer",
        lambda p: p.halving(DEPTHWISE),
        _stride_to(_second_of),
        at=lambda site: (site, _second_of(site)),
    ),
    Fault("depthwise: no stride", lambda p: p.halving(DEPTHWISE), partial(_stride, stride=1)),
    Fault("max-pool: no stride", lambda p: p.halving(POOL), _unstrided_pool),
    Fault(
        "1x1 of stride 2 from the second pixel",
        lambda p: p.halving(r".*\.right\.1x1"),
        # Cuts off the first row and column, and adds zeros behind the last: every shape stays.
        preceded_by(lambda x: F.pad(x, (-1, 1, -1, 1))),
        kind="wiring",
    ),
    Fault("depthwise: dilated", lambda p: p.keeping(DEPTHWISE, least=5), _dilated),
)
POOLS = (
    Fault("average for max, padding counted", lambda p: p.layers(POOL), partial(_average, counts_padding=True)),
    Fault("average for max, padding left out", lambda p: p.layers(POOL), partial(_average, counts_padding=False)),
    Fault("the least for max", lambda p: p.layers(POOL), _least),
    # Only where it keeps the map's size, so that the sum behind it still has two terms of one shape.
    Fault("pool before the 1x1 left out", lambda p: p.keeping(POOL), replaced_by(lambda x: x)),
)
