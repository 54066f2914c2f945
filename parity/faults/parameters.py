"""Faults of parameters: batch norms, and weights of any layer."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from parity.faults.fault import Fault
from parity.faults.padding import CHENXI
from parity.faults.plant import Change, Plant, change, changed, exchange, part, replaced_by
from parity.faults.sites import Places
from pnasnet_torch import PNASNet

BN = r".*(_bn|bn_1|bn_sep_.*)"
WEIGHTS = r"conv0|.*\.(depthwise|pointwise|1x1|prev_1x1|path1_conv)|final_layer\.FC"


def _exchanged(first: str, second: str) -> Plant:
    """Return a plant that exchanges two parameters or buffers of the layer at a site."""
    return lambda model, site: exchange(model, (site, first), (site, second))


def _epsilon(value: float) -> Plant:
    """Return a plant that gives a batch norm another epsilon."""
    return partial(_set_epsilon, value=value)


def _set_epsilon(model: PNASNet, site: str, value: float) -> None:
    """Give a batch norm another epsilon."""
    part(model, site).eps = value


def normalised(scale: Callable[[Tensor, float], Tensor]) -> Plant:
    """Return a plant that makes a batch norm multiply by `scale`, a function of variance and epsilon."""
    return partial(_normalise, scale=scale)


def _normalise(model: PNASNet, site: str, scale: Callable[[Tensor, float], Tensor]) -> None:
    """Make a batch norm multiply by `scale`, a function of variance and epsilon."""
    bn = part(model, site)

    def forward(x: Tensor) -> Tensor:
        """Return x (N, C, H, W) normalised, scaled by gamma, and moved by beta."""
        factor = bn.weight * scale(bn.running_var, bn.eps)
        centred = x - bn.running_mean[:, None, None]
        scaled = centred * factor[:, None, None]
        return scaled + bn.bias[:, None, None]

    bn.forward = forward


def _without_statistics(model: PNASNet, site: str) -> None:
    """Give a batch norm the statistics that it has before any were loaded."""
    change(model, site, "running_mean", torch.zeros_like)
    change(model, site, "running_var", torch.ones_like)


def _train(model: PNASNet, site: str) -> None:
    """Put a layer in training mode."""
    part(model, site).train()


def _of_neighbour(model: PNASNet, site: str) -> None:
    """Give a batch norm the mean and variance of another one of that size."""
    own = part(model, site)
    norms = [module for module in model.modules() if isinstance(module, type(own))]
    alike = [norm for norm in norms if norm.num_features == own.num_features]
    # The one before; of the first, the last.
    other = alike[alike.index(own) - 1]
    change(model, site, "running_mean", lambda _: other.running_mean.clone())
    change(model, site, "running_var", lambda _: other.running_var.clone())


def _has_alike(places: Places) -> list[str]:
    """Return the batch norms of which there are several of that size."""
    sizes = {name: places.channels(name) for name in places.layers(BN)}
    counted = list(sizes.values())
    return [name for name, size in sizes.items() if counted.count(size) > 1]


def _pointwise_pairs(places: Places) -> list[str]:
    """Return the first pointwise convolutions whose second one is of the same shape."""
    # The second one has as many inputs as outputs, and as many of these as the first one.
    return [name for name in places.layers(r".*separable_\dx\d_1\.pointwise") if places.keeps_channels(name)]


def _second(site: str) -> str:
    """Return the second pointwise convolution, given the first."""
    return site.replace("_1.pointwise", "_2.pointwise")


def _exchange_pointwise(model: PNASNet, site: str) -> None:
    """Exchange the weights of the first and second pointwise convolution."""
    exchange(model, (site, "weight"), (_second(site), "weight"))


def _one(function: Change) -> Change:
    """Return a change of the value of the largest magnitude alone."""

    def apply(tensor: Tensor) -> Tensor:
        """Return a tensor with one value changed."""
        flat = tensor.flatten().clone()
        index = flat.abs().argmax()
        flat[index] = function(flat[index])
        return flat.reshape(tensor.shape)

    return apply


def _quantised(weight: Tensor) -> Tensor:
    """Return the weights rounded to int8, with one scale for all of them."""
    step = weight.abs().max() / 127
    return (weight / step).round() * step


def _without_last_output(weight: Tensor) -> Tensor:
    """Return the weights with zeros for the last output channel."""
    return torch.cat([weight[:-1], torch.zeros_like(weight[-1:])])


BATCH_NORM = (
    # The official one is 1e-3.
    Fault("epsilon of PyTorch", lambda p: p.layers(BN), _epsilon(1e-5), port=f"{CHENXI} (auxiliary head)"),
    Fault("epsilon of ten times", lambda p: p.layers(BN), _epsilon(1e-2)),
    Fault("no epsilon", lambda p: p.layers(BN), _epsilon(0.0)),
    Fault("epsilon behind the root", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var.sqrt() + eps))),
    Fault("variance taken for the deviation", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var + eps))),
    Fault("gamma and beta exchanged", lambda p: p.layers(BN), _exchanged("weight", "bias")),
    Fault("mean and variance exchanged", lambda p: p.layers(BN), _exchanged("running_mean", "running_var")),
    Fault("gamma missing", lambda p: p.layers(BN), changed("weight", torch.ones_like)),
    Fault("beta missing", lambda p: p.layers(BN), changed("bias", torch.zeros_like)),
    Fault("statistics missing", lambda p: p.layers(BN), _without_statistics),
    Fault("statistics of another layer", _has_alike, _of_neighbour),
    # 31 / 32 undoes Bessel's correction, n / (n - 1).
    Fault(
        "variance biased, of a batch of 32",
        lambda p: p.layers(BN),
        changed("running_var", lambda var: var * 31 / 32),
    ),
    Fault("mean of the next channel", lambda p: p.layers(BN), changed("running_mean", lambda mean: mean.roll(1))),
    Fault("batch norm left out", lambda p: p.layers(BN), replaced_by(lambda x: x)),
    Fault("batch norm in training mode", lambda p: p.layers(BN), _train),
)
VALUES = (
    Fault(
        "weights of two layers exchanged",
        _pointwise_pairs,
        _exchange_pointwise,
        at=lambda site: (site, _second(site)),
    ),
    Fault(
        "one weight wrong by a thousandth",
        lambda p: p.layers(WEIGHTS),
        changed("weight", _one(lambda w: w * 1.001)),
    ),
    Fault("one weight of the other sign", lambda p: p.layers(WEIGHTS), changed("weight", _one(lambda w: -w))),
    Fault("one weight not a number", lambda p: p.layers(WEIGHTS), changed("weight", _one(lambda w: w * torch.nan))),
    Fault("one weight infinite", lambda p: p.layers(WEIGHTS), changed("weight", _one(lambda w: w * torch.inf))),
    # Through fewer bits and back, so that dtype and shape are the official ones.
    Fault("weights through float16", lambda p: p.layers(WEIGHTS), changed("weight", lambda w: w.half().to(w.dtype))),
    Fault(
        "weights through bfloat16",
        lambda p: p.layers(WEIGHTS),
        changed("weight", lambda w: w.bfloat16().to(w.dtype)),
    ),
    Fault("weights through int8", lambda p: p.layers(WEIGHTS), changed("weight", _quantised)),
    Fault("weights never loaded: zeros", lambda p: p.layers(WEIGHTS), changed("weight", torch.zeros_like)),
    Fault("last output channel missing", lambda p: p.layers(WEIGHTS), changed("weight", _without_last_output)),
)
