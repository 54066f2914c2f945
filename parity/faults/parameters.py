"""Faults of parameters: batch norms, and weights of any layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from parity.faults.fault import Fault, Plant
from parity.faults.padding import CHENXI
from parity.faults.plant import change, exchange, part, replace
from parity.faults.sites import Places
from pnasnet_torch import PNASNet

BN = r".*(_bn|bn_1|bn_sep_.*)"
WEIGHTS = r"conv0|.*\.(depthwise|pointwise|1x1|prev_1x1|path1_conv)|final_layer\.FC"


def _set(parameter: str, function: Callable[[Tensor], Tensor]) -> Plant:
    return lambda model, site: change(model, site, parameter, function)


def _exchanged(one: str, other: str) -> Plant:
    return lambda model, site: exchange(model, (site, one), (site, other))


def _epsilon(value: float) -> Plant:
    return lambda model, site: setattr(part(model, site), "eps", value)


def normalised(scale: Callable[[Tensor, float], Tensor]) -> Plant:
    """A batch norm that divides by something else than the root of variance plus epsilon."""

    def plant(model: PNASNet, site: str) -> None:
        bn = part(model, site)

        def forward(x: Tensor) -> Tensor:
            factor = bn.weight * scale(bn.running_var, bn.eps)
            centred = x - bn.running_mean[:, None, None]
            return centred * factor[:, None, None] + bn.bias[:, None, None]

        bn.forward = forward

    return plant


def _of_neighbour(model: PNASNet, site: str) -> None:
    """The mean and variance of another batch norm of that size."""
    own = part(model, site)
    rows = [row for row in model.modules() if isinstance(row, type(own)) and row.num_features == own.num_features]
    other = rows[rows.index(own) - 1]
    change(model, site, "running_mean", lambda _: other.running_mean.clone())
    change(model, site, "running_var", lambda _: other.running_var.clone())


def _has_alike(places: Places) -> list[str]:
    """Batch norms of which there are several of that size."""
    names = places.layers(BN)
    sizes = [places.channels(name) for name in names]
    return [name for name, size in zip(names, sizes, strict=True) if sizes.count(size) > 1]


def _pointwise_pairs(places: Places) -> list[str]:
    """The first pointwise convolutions whose second one is of the same shape."""
    first = places.layers(r".*separable_\dx\d_1\.pointwise")
    return [name for name in first if places.channels(places.graph.layers[name].inputs[0]) == places.channels(name)]


def _second(site: str) -> str:
    return site.replace("_1.pointwise", "_2.pointwise")


def _one(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Changes the largest value alone."""

    def apply(tensor: Tensor) -> Tensor:
        flat = tensor.flatten().clone()
        index = flat.abs().argmax()
        flat[index] = function(flat[index])
        return flat.reshape(tensor.shape)

    return apply


def _quantised(weight: Tensor) -> Tensor:
    step = weight.abs().max() / 127
    return (weight / step).round() * step


BATCH_NORM = (
    Fault("epsilon of PyTorch", lambda p: p.layers(BN), _epsilon(1e-5), port=f"{CHENXI} (auxiliary head)"),
    Fault("epsilon of ten times", lambda p: p.layers(BN), _epsilon(1e-2)),
    Fault("no epsilon", lambda p: p.layers(BN), _epsilon(0.0)),
    Fault("epsilon behind the root", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var.sqrt() + eps))),
    Fault("variance taken for the deviation", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var + eps))),
    Fault("gamma and beta exchanged", lambda p: p.layers(BN), _exchanged("weight", "bias")),
    Fault("mean and variance exchanged", lambda p: p.layers(BN), _exchanged("running_mean", "running_var")),
    Fault("gamma missing", lambda p: p.layers(BN), _set("weight", torch.ones_like)),
    Fault("beta missing", lambda p: p.layers(BN), _set("bias", torch.zeros_like)),
    Fault(
        "statistics missing",
        lambda p: p.layers(BN),
        lambda m, s: (_set("running_mean", torch.zeros_like)(m, s), _set("running_var", torch.ones_like)(m, s))[0],
    ),
    Fault("statistics of another layer", _has_alike, _of_neighbour),
    Fault("variance biased, of a batch of 32", lambda p: p.layers(BN), _set("running_var", lambda var: var * 31 / 32)),
    Fault("mean of the next channel", lambda p: p.layers(BN), _set("running_mean", lambda mean: mean.roll(1))),
    Fault("batch norm left out", lambda p: p.layers(BN), lambda model, site: replace(model, site, lambda x: x)),
    Fault("batch norm in training mode", lambda p: p.layers(BN), lambda model, site: part(model, site).train()),
)
VALUES = (
    Fault(
        "weights of two layers exchanged",
        _pointwise_pairs,
        lambda model, site: exchange(model, (site, "weight"), (_second(site), "weight")),
        at=lambda site: (site, _second(site)),
    ),
    Fault("one weight wrong by a thousandth", lambda p: p.layers(WEIGHTS), _set("weight", _one(lambda w: w * 1.001))),
    Fault("one weight of the other sign", lambda p: p.layers(WEIGHTS), _set("weight", _one(lambda w: -w))),
    Fault("one weight not a number", lambda p: p.layers(WEIGHTS), _set("weight", _one(lambda w: w * torch.nan))),
    Fault("one weight infinite", lambda p: p.layers(WEIGHTS), _set("weight", _one(lambda w: w * torch.inf))),
    Fault("weights through float16", lambda p: p.layers(WEIGHTS), _set("weight", lambda w: w.half().to(w.dtype))),
    Fault("weights through bfloat16", lambda p: p.layers(WEIGHTS), _set("weight", lambda w: w.bfloat16().to(w.dtype))),
    Fault("weights through int8", lambda p: p.layers(WEIGHTS), _set("weight", _quantised)),
    Fault("weights never loaded: zeros", lambda p: p.layers(WEIGHTS), _set("weight", torch.zeros_like)),
    Fault(
        "last output channel missing",
        lambda p: p.layers(WEIGHTS),
        _set("weight", lambda w: torch.cat([w[:-1], torch.zeros_like(w[-1:])])),
    ),
)
