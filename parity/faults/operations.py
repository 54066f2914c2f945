"""Faults of single operations: padding, strides, kernels, activations, pools, the factorized reduction."""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault, Plant, beside
from parity.faults.plant import after, before, change, exchange, part, replace
from parity.faults.sites import Places
from pnasnet_torch import PNASNet
from pnasnet_torch.padding import same_padding

DEPTHWISE = r".*\.depthwise"
POINTWISE = r".*\.(pointwise|1x1|prev_1x1)"
POOL = r".*\.max_pool"
CHENXI = "chenxi116/PNASNet.pytorch"
CADENE = "Cadene/pretrained-models.pytorch"


def _conv(pads: Callable[[int, int, int], tuple[int, int]], mode: str = "constant") -> Plant:
    """A convolution with other padding: `pads` gives the pixels before and after, from side, kernel and stride."""

    def plant(model: PNASNet, site: str) -> None:
        conv = part(model, site)
        kernel, stride = conv.kernel_size[0], conv.stride[0]

        def forward(x: Tensor) -> Tensor:
            rows, columns = (pads(side, kernel, stride) for side in x.shape[2:])
            return F.conv2d(F.pad(x, (*columns, *rows), mode), conv.weight, None, stride, groups=conv.groups)

        conv.forward = forward

    return plant


def _pool(pads: Callable[[int, int, int], tuple[int, int]], value: float = -torch.inf) -> Plant:
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


def _weight(function: Callable[[Tensor], Tensor]) -> Plant:
    return lambda model, site: change(model, site, "weight", function)


def _after(function: Callable[[Tensor], Tensor]) -> Plant:
    return lambda model, site: after(model, site, function)


def _grouped(weight: Tensor) -> Tensor:
    """Outputs of the first half see inputs of the first half alone."""
    half_out, half_in = weight.shape[0] // 2, weight.shape[1] // 2
    mask = torch.ones_like(weight)
    mask[:half_out, half_in:] = mask[half_out:, :half_in] = 0
    return weight * mask


def _square(places: Places) -> list[str]:
    """1x1 convolutions with as many outputs as inputs."""
    return places.layers(POINTWISE, lambda row: places.channels(row.inputs[0]) == (row.shape[-1] or 0))


def _even_split(places: Places) -> list[str]:
    """Factorized reductions whose two paths are alike."""
    return [name for name in places.layers(r".*\.path1_conv") if places.channels(name) == places.channels(_path2(name))]


def _path2(site: str) -> str:
    return site.replace("path1", "path2")


def _other_split(model: PNASNet, site: str) -> None:
    """path1 n//2 + n%2 filters, path2 n//2."""
    weights = torch.cat([part(model, name).weight for name in (site, _path2(site))])
    count = part(model, _path2(site)).weight.shape[0]
    change(model, site, "weight", lambda _: weights[:count])
    change(model, _path2(site), "weight", lambda _: weights[count:])


def _subsample(function: Callable[[Tensor], Tensor]) -> Plant:
    return lambda model, site: replace(model, site, function)


def _dilated(model: PNASNet, site: str) -> None:
    conv = part(model, site)
    pad = conv.kernel_size[0] - 1
    replace(model, site, lambda x: F.conv2d(x, conv.weight, None, 1, pad, 2, conv.groups))


SECOND_PATH = r".*\.avg_pool_1"

PADDING = (
    Fault(
        "depthwise: k//2 on both sides, even map", lambda p: p.halving(DEPTHWISE, True), _conv(symmetric), port=CHENXI
    ),
    Fault("max-pool: 1 on both sides, even map", lambda p: p.halving(POOL, True), _pool(symmetric), port=CHENXI),
    Fault("depthwise: the odd pixel before, even map", lambda p: p.halving(DEPTHWISE, True), _conv(reversed_same)),
    Fault("max-pool: the odd pixel before, even map", lambda p: p.halving(POOL, True), _pool(reversed_same)),
    Fault("depthwise: all behind", lambda p: p.keeping(DEPTHWISE), _conv(all_behind)),
    Fault("depthwise: all behind, odd map", lambda p: p.halving(DEPTHWISE, False), _conv(all_behind)),
    Fault("max-pool: all before", lambda p: p.keeping(POOL), _pool(all_before)),
    Fault("max-pool: all behind, odd map (ceil_mode)", lambda p: p.halving(POOL, False), _pool(all_behind)),
    Fault(
        "depthwise: padded and cropped as for even maps, odd map",
        lambda p: p.halving(DEPTHWISE, False),
        _conv(crop_of_padded),
        port=CADENE,
    ),
    Fault(
        "max-pool: padded and cropped as for even maps, odd map",
        lambda p: p.halving(POOL, False),
        _pool(crop_of_padded),
        port=CADENE,
    ),
    Fault("depthwise: columns alone symmetric, even map", lambda p: p.halving(DEPTHWISE, True), _one_side_only),
    Fault("depthwise: reflected", lambda p: p.keeping(DEPTHWISE, 5), _conv(same_padding, "reflect")),
    Fault("depthwise: replicated", lambda p: p.layers(DEPTHWISE), _conv(same_padding, "replicate")),
    Fault("depthwise: wrapped around", lambda p: p.keeping(DEPTHWISE, 5), _conv(same_padding, "circular")),
    Fault("depthwise: none", lambda p: p.keeping(DEPTHWISE, 8), _conv(lambda *_: (0, 0))),
    Fault("max-pool: padded with 0", lambda p: p.keeping(POOL), _pool(same_padding, 0.0)),
    Fault("max-pool: padded with 0, halving", lambda p: p.halving(POOL), _pool(same_padding, 0.0)),
    Fault("conv0: SAME", lambda _: ["conv0"], _conv(lambda *_: (1, 1))),
)
STRIDES = (
    Fault(
        "stride in the pointwise half",
        lambda p: p.halving(DEPTHWISE),
        _stride_to(_pointwise_of),
        at=lambda site: (site, _pointwise_of(site)),
    ),
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
KERNELS = (
    Fault("depthwise kernel transposed", lambda p: p.layers(DEPTHWISE), _weight(lambda w: w.transpose(2, 3))),
    Fault("depthwise kernel upside down", lambda p: p.layers(DEPTHWISE), _weight(lambda w: w.flip(2))),
    Fault("depthwise kernel flipped both ways", lambda p: p.layers(DEPTHWISE), _weight(lambda w: w.flip(2, 3))),
    Fault("depthwise kernels of the next channel", lambda p: p.layers(DEPTHWISE), _weight(lambda w: w.roll(1, 0))),
    Fault(
        "depthwise kernel reshaped, not transposed",
        lambda p: p.layers(DEPTHWISE),
        _weight(lambda w: w.permute(2, 3, 0, 1).reshape(w.shape)),
    ),
    Fault("depthwise kernel scaled", lambda p: p.layers(DEPTHWISE), _weight(lambda w: w * 2)),
    Fault("conv0 kernel transposed", lambda _: ["conv0"], _weight(lambda w: w.transpose(2, 3))),
    Fault("conv0 kernel for BGR", lambda _: ["conv0"], _weight(lambda w: w.flip(1))),
    Fault("1x1 kernel transposed", _square, _weight(lambda w: w.transpose(0, 1))),
    Fault(
        "1x1 kernel reshaped, not transposed",
        lambda p: p.layers(POINTWISE),
        _weight(lambda w: w.permute(1, 0, 2, 3).reshape(w.shape)),
    ),
    Fault("1x1 kernel: inputs in reverse", lambda p: p.layers(POINTWISE), _weight(lambda w: w.flip(1))),
    Fault("1x1 kernel: outputs off by one", lambda p: p.layers(POINTWISE), _weight(lambda w: w.roll(1, 0))),
    Fault("1x1 kernel in two groups", lambda p: p.layers(POINTWISE), _weight(_grouped)),
)
ACTIVATIONS = (
    Fault("ReLU missing", lambda p: p.layers(r".*\.relu(_\d)?"), lambda model, site: replace(model, site, lambda x: x)),
    Fault("ReLU6 for ReLU", lambda p: p.layers(r".*\.relu(_\d)?"), lambda model, site: replace(model, site, F.relu6)),
    Fault("leaky ReLU", lambda p: p.layers(r".*\.relu(_\d)?"), lambda model, site: replace(model, site, F.leaky_relu)),
    Fault("ReLU behind a convolution", lambda p: p.layers(POINTWISE), _after(F.relu)),
    Fault("ReLU behind a batch norm", lambda p: p.layers(r".*bn_sep.*|conv0_bn|.*beginning_bn"), _after(F.relu)),
    Fault(
        "ReLU before the max-pool", lambda p: p.layers(POOL), lambda model, site: before(model, site, F.relu), "wiring"
    ),
    Fault(
        "ReLU between convolution and batch norm",
        lambda p: p.layers(r".*bn_sep.*|.*beginning_bn"),
        lambda model, site: before(model, site, F.relu),
        "wiring",
    ),
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
REDUCTION = (
    Fault(
        "reduction: paths exchanged",
        _even_split,
        lambda model, site: exchange(model, (site, "weight"), (_path2(site), "weight")),
        at=beside("path1_conv", "path2_conv"),
    ),
    Fault(
        "reduction: paths concatenated the other way",
        lambda p: p.layers(r"cell_\w+\.concat"),
        lambda model, site: replace(model, site, lambda *parts: torch.cat(parts[::-1], 1)),
    ),
    Fault(
        "reduction: odd filters split the other way",
        lambda p: sorted(set(p.layers(r".*\.path1_conv")) - set(_even_split(p))),
        _other_split,
        "structure",
        beside("path1_conv", "path2_conv"),
    ),
    Fault(
        "reduction: second path without offset",
        lambda p: p.layers(SECOND_PATH),
        _subsample(lambda x: x[:, :, ::2, ::2]),
    ),
    Fault(
        "reduction: second path offset in rows alone",
        lambda p: p.layers(SECOND_PATH),
        _subsample(lambda x: F.pad(x, (0, 0, 0, 1))[:, :, 1::2, ::2]),
    ),
    Fault(
        "reduction: second path padded before",
        lambda p: p.layers(SECOND_PATH),
        _subsample(lambda x: F.pad(x, (1, 0, 1, 0))[:, :, : x.shape[2] : 2, : x.shape[3] : 2]),
    ),
    Fault(
        "reduction: first path from the second pixel",
        lambda p: p.layers(r"cell_\w+\.avg_pool"),
        _subsample(lambda x: F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2]),
    ),
    Fault(
        "reduction: second path padded by its edge, odd map",
        lambda p: p.halving(SECOND_PATH, False),
        _subsample(lambda x: F.pad(x, (0, 1, 0, 1), "replicate")[:, :, 1::2, 1::2]),
    ),
    Fault(
        "reduction: average of 2x2 pixels",
        lambda p: p.halving(r"cell_\w+\.avg_pool"),
        _subsample(lambda x: F.avg_pool2d(x, 2, ceil_mode=True)),
    ),
    Fault(
        "reduction: ReLU missing",
        lambda p: [f"{name.partition('.')[0]}.relu" for name in p.layers(r".*\.path1_conv")],
        lambda model, site: replace(model, site, lambda x: x),
    ),
)


def _negated(model: PNASNet, site: str) -> None:
    pool = part(model, site).forward
    replace(model, site, lambda x: -pool(-x))


OPERATIONS = (*PADDING, *STRIDES, *KERNELS, *ACTIVATIONS, *POOLS, *REDUCTION)
