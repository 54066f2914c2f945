"""Faults of kernels, of activations, and of the factorized reduction."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault, Plant, beside
from parity.faults.padding import DEPTHWISE, POOL
from parity.faults.plant import after, before, change, exchange, part, replace
from parity.faults.sites import Places
from pnasnet_torch import PNASNet

POINTWISE = r".*\.(pointwise|1x1|prev_1x1)"
SECOND_PATH = r".*\.avg_pool_1"


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
