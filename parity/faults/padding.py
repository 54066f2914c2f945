"""Faults of padding, of strides, and of the max-pool."""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault, Plant
from parity.faults.plant import before, part, replace
from pnasnet_torch import PNASNet
from pnasnet_torch.padding import same_padding

DEPTHWISE = r".*\.depthwise"
POOL = r".*\.max_pool"
# Ports that have the fault.
CHENXI = "chenxi116/PNASNet.pytorch"
CADENE = "Cadene/pretrained-models.pytorch"
# The pixels before and after a side, from its length, the kernel and the stride.
Pads = Callable[[int, int, int], tuple[int, int]]


def padded_conv(pads: Pads, mode: str = "constant") -> Plant:
    """A convolution with other padding: `pads` gives the pixels before and after, from side, kernel and stride."""

    def plant(model: PNASNet, site: str) -> None:
        conv = part(model, site)
        kernel, stride = conv.kernel_size[0], conv.stride[0]

        def forward(x: Tensor) -> Tensor:
            rows, columns = (pads(side, kernel, stride) for side in x.shape[2:])
            return F.conv2d(F.pad(x, (*columns, *rows), mode), conv.weight, None, stride, groups=conv.groups)

        conv.forward = forward

    return plant


def padded_pool(pads: Pads, value: float = -torch.inf) -> Plant:
    def plant(model: PNASNet, site: str) -> None:
        stride = part(model, site).stride

        def forward(x: Tensor) -> Tensor:
            rows, columns = (pads(side, 3, stride) for side in x.shape[2:])
            return F.max_pool2d(F.pad(x, (*columns, *rows), value=value), 3, stride)

        replace(model, site, forward)

    return plant


def symmetric(_side: int, kernel: int, _stride: int) -> tuple[int, int]:
    return kernel // 2, kernel // 2


def reversed_same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    first, last = same_padding(side, kernel, stride)
    return last, first


def all_behind(side: int, kernel: int, stride: int) -> tuple[int, int]:
    return 0, sum(same_padding(side, kernel, stride))


def all_before(side: int, kernel: int, stride: int) -> tuple[int, int]:
    return sum(same_padding(side, kernel, stride)), 0


def crop_of_padded(side: int, kernel: int, _stride: int) -> tuple[int, int]:
    """A row more before, then the first row of the result cut off: as a padding, one pixel less before."""
    return kernel // 2 - 1, kernel // 2 if side % 2 == 0 else kernel // 2 - 1


def _one_side_only(model: PNASNet, site: str) -> None:
    """Rows as they should be, columns padded symmetrically."""
    conv = part(model, site)
    kernel = conv.kernel_size[0]

    def forward(x: Tensor) -> Tensor:
        rows = same_padding(x.shape[2], kernel, 2)
        padded = F.pad(x, (kernel // 2, kernel // 2, *rows))
        return F.conv2d(padded, conv.weight, None, 2, groups=conv.groups)

    conv.forward = forward


def _average(model: PNASNet, site: str, counts_padding: bool) -> None:
    stride = part(model, site).stride

    def forward(x: Tensor) -> Tensor:
        rows, columns = (same_padding(side, 3, stride) for side in x.shape[2:])
        total, count = (F.avg_pool2d(F.pad(each, (*columns, *rows)), 3, stride) for each in (x, torch.ones_like(x)))
        return total if counts_padding else total / count

    replace(model, site, forward)


def _negated(model: PNASNet, site: str) -> None:
    pool = part(model, site).forward
    replace(model, site, lambda x: -pool(-x))


def _stride(model: PNASNet, site: str, stride: int) -> None:
    conv = part(model, site)
    conv.stride = (stride, stride)


def _stride_to(other: Callable[[str], str]) -> Plant:
    """Moves the stride of a depthwise convolution to the layer that `other` names."""

    def plant(model: PNASNet, site: str) -> None:
        _stride(model, site, 1)
        _stride(model, other(site), 2)

    return plant


def _pointwise_of(site: str) -> str:
    return re.sub(r"depthwise$", "pointwise", site)


def _second_of(site: str) -> str:
    return re.sub(r"_1\.depthwise$", "_2.depthwise", site)


def _dilated(model: PNASNet, site: str) -> None:
    conv = part(model, site)
    pad = conv.kernel_size[0] - 1
    replace(model, site, lambda x: F.conv2d(x, conv.weight, None, 1, pad, 2, conv.groups))


PADDING = (
    Fault(
        "depthwise: k//2 all around, even map",
        lambda p: p.halving(DEPTHWISE, True),
        padded_conv(symmetric),
        port=CHENXI,
    ),
    Fault("max-pool: 1 all around, even map", lambda p: p.halving(POOL, True), padded_pool(symmetric), port=CHENXI),
    Fault("depthwise: odd pixel before, even map", lambda p: p.halving(DEPTHWISE, True), padded_conv(reversed_same)),
    Fault("max-pool: odd pixel before, even map", lambda p: p.halving(POOL, True), padded_pool(reversed_same)),
    Fault("depthwise: all behind", lambda p: p.keeping(DEPTHWISE), padded_conv(all_behind)),
    Fault("depthwise: all behind, odd map", lambda p: p.halving(DEPTHWISE, False), padded_conv(all_behind)),
    Fault("max-pool: all before", lambda p: p.keeping(POOL), padded_pool(all_before)),
    Fault("max-pool: all behind, odd map (ceil_mode)", lambda p: p.halving(POOL, False), padded_pool(all_behind)),
    Fault(
        "depthwise: padded and cropped as for even maps, odd map",
        lambda p: p.halving(DEPTHWISE, False),
        padded_conv(crop_of_padded),
        port=CADENE,
    ),
    Fault(
        "max-pool: padded and cropped as for even maps, odd map",
        lambda p: p.halving(POOL, False),
        padded_pool(crop_of_padded),
        port=CADENE,
    ),
    Fault("depthwise: columns alone symmetric, even map", lambda p: p.halving(DEPTHWISE, True), _one_side_only),
    Fault("depthwise: reflected", lambda p: p.keeping(DEPTHWISE, 5), padded_conv(same_padding, "reflect")),
    Fault("depthwise: replicated", lambda p: p.layers(DEPTHWISE), padded_conv(same_padding, "replicate")),
    Fault("depthwise: wrapped around", lambda p: p.keeping(DEPTHWISE, 5), padded_conv(same_padding, "circular")),
    Fault("depthwise: none", lambda p: p.keeping(DEPTHWISE, 8), padded_conv(lambda *_: (0, 0))),
    Fault("max-pool: padded with 0", lambda p: p.keeping(POOL), padded_pool(same_padding, 0.0)),
    Fault("max-pool: padded with 0, halving", lambda p: p.halving(POOL), padded_pool(same_padding, 0.0)),
    Fault("conv0: SAME", lambda _: ["conv0"], padded_conv(lambda *_: (1, 1))),
)
STRIDES = (
    Fault(
        "stride in the pointwise half, even map",
        lambda p: p.halving(DEPTHWISE, True),
        _stride_to(_pointwise_of),
        at=lambda site: (site, _pointwise_of(site)),
    ),
    # There the pointwise half sees every second pixel of what it should see, and is right again.
    Fault("stride in the pointwise half, odd map", lambda p: p.halving(DEPTHWISE, False), _stride_to(_pointwise_of)),
    Fault(
        "stride in the second separable layer",
        lambda p: p.halving(DEPTHWISE),
        _stride_to(_second_of),
        at=lambda site: (site, _second_of(site)),
    ),
    Fault("depthwise: no stride", lambda p: p.halving(DEPTHWISE), lambda model, site: _stride(model, site, 1)),
    Fault(
        "max-pool: no stride", lambda p: p.halving(POOL), lambda model, site: setattr(part(model, site), "stride", 1)
    ),
    Fault(
        "1x1 of stride 2 from the second pixel",
        lambda p: p.halving(r".*\.right\.1x1"),
        lambda model, site: before(model, site, lambda x: F.pad(x, (-1, 1, -1, 1))),
        "wiring",
    ),
    Fault("depthwise: dilated", lambda p: p.keeping(DEPTHWISE, 5), _dilated),
)
POOLS = (
    Fault(
        "average for max, padding counted", lambda p: p.layers(POOL), lambda model, site: _average(model, site, True)
    ),
    Fault(
        "average for max, padding left out", lambda p: p.layers(POOL), lambda model, site: _average(model, site, False)
    ),
    Fault("the least for max", lambda p: p.layers(POOL), lambda model, site: _negated(model, site)),
    Fault(
        "pool before the 1x1 left out", lambda p: p.keeping(POOL), lambda model, site: replace(model, site, lambda x: x)
    ),
)
