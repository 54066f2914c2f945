"""Variations that change nothing but the order of roundings, if that: none may raise an alarm."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.kernels import RELU
from parity.faults.padding import DEPTHWISE, POOL, all_behind, crop_of_padded, padded_conv, padded_pool, symmetric
from parity.faults.parameters import BN, normalised
from parity.faults.plant import Plant, after, change, followed_by, part, replace, replaced_by
from parity.faults.sites import Places, Sites
from pnasnet_torch import PNASNet
from pnasnet_torch.padding import same_padding

Everywhere = Callable[[PNASNet, Places], None]


def _as_it_is(_model: PNASNet, _places: Places) -> None:
    """Leave a model as it is."""


@dataclass(frozen=True)
class Variation:
    """A change that is harmless: of the model by `plant`, of the runtime `around` it.

    It is one only where it has `sites`. Layers that are `folded` into others have no value of their own, a `compiled`
    model is run as one, and more `threads` than one take a process that no other disturbs.
    """

    name: str
    plant: Everywhere = _as_it_is
    sites: Sites = lambda _places: [""]
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    folded: Callable[[Places], list[str]] = lambda _places: []
    compiled: bool = False
    threads: int = 1


@contextmanager
def _runtime(threads: int, onednn: bool) -> Iterator[None]:
    """Run PyTorch on so many threads, with oneDNN or without."""
    usual_threads = torch.get_num_threads()
    usual_onednn = torch.backends.mkldnn.enabled
    torch.set_num_threads(threads)
    torch.backends.mkldnn.enabled = onednn  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.set_num_threads(usual_threads)
        torch.backends.mkldnn.enabled = usual_onednn


def _channels_last(model: PNASNet, _places: Places) -> None:
    """Bring a model's weights to the memory format channels_last."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


FORMATS: dict[str, Everywhere] = {"NCHW": _as_it_is, "channels_last": _channels_last}


def _grid() -> Iterator[Variation]:
    """Yield the variations of threads, memory formats, and kernels."""
    # Each of the three changes the bits of PyTorch's convolutions.
    for threads in (1, 2, 4):
        for memory_format, plant in FORMATS.items():
            for onednn in (True, False):
                name = f"{threads} threads, {memory_format}, oneDNN {'on' if onednn else 'off'}"
                around = partial(_runtime, threads, onednn)
                yield Variation(name, plant, around=around, threads=threads)


def _at(name: str, sites: Sites, plant: Plant) -> Variation:
    """Return a change at all of `sites`."""

    def everywhere(model: PNASNet, places: Places) -> None:
        """Make the change at each site."""
        for site in sites(places):
            plant(model, site)

    return Variation(name, everywhere, sites)


def _convolutions(places: Places) -> list[str]:
    """Return the convolutions that a batch norm follows directly."""
    feeders = map(places.feeder, places.layers(BN))
    # Behind a factorized reduction, the norm follows a concatenation.
    return [name for name in feeders if places.graph.layers[name].kind == "Conv2D"]


def _fold(dtype: torch.dtype | None, model: PNASNet, places: Places) -> None:
    """Fold each batch norm into the convolution before it, in `dtype`, or in the model's own."""
    convolutions = _convolutions(places)
    for name in places.layers(BN):
        conv = places.feeder(name)
        if conv in convolutions:
            _fold_one(model, conv, part(model, name), dtype)
            replace(model, name, lambda x: x)


def _fold_one(model: PNASNet, conv: str, bn: Any, dtype: torch.dtype | None) -> None:
    """Fold a batch norm into a convolution: its scale into the weights, the rest behind them."""
    own_dtype = bn.weight.dtype
    variance = bn.running_var.to(dtype) + bn.eps
    scale = bn.weight.to(dtype) / variance.sqrt()
    bias = (bn.bias - bn.running_mean * scale).to(own_dtype)
    change(model, conv, "weight", lambda weight: (weight * scale[:, None, None, None]).to(own_dtype))
    after(model, conv, lambda x: x + bias[:, None, None])


def _explicit_pool(model: PNASNet, site: str) -> None:
    """Compute a max-pool as the largest of the shifted maps."""
    stride = part(model, site).stride

    def forward(x: Tensor) -> Tensor:
        """Return the largest of each window of x (N, C, H, W)."""
        rows = same_padding(x.shape[2], 3, stride)
        columns = same_padding(x.shape[3], 3, stride)
        padded = F.pad(x, (*columns, *rows), value=-torch.inf)
        windows = padded.unfold(2, 3, stride).unfold(3, 3, stride)
        return windows.amax(dim=(4, 5))

    replace(model, site, forward)


def _mean(x: Tensor) -> Tensor:
    """Return the mean (N, C) of maps (N, C, H, W) as a sum divided by the number of pixels."""
    return x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])


def _softmax(x: Tensor) -> Tensor:
    """Return the softmax of logits (N, classes) by its formula."""
    # The largest logit is taken off, so that no power is infinite.
    powers = (x - x.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


VARIATIONS = (
    *_grid(),
    Variation("batch norms folded", partial(_fold, None), folded=_convolutions),
    Variation("batch norms folded in float64", partial(_fold, torch.float64), folded=_convolutions),
    _at("batch norms by hand", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var + eps).sqrt())),
    _at("padding outside of the convolution", lambda p: p.layers(DEPTHWISE), padded_conv(same_padding)),
    # Wrong on maps of the other parity: there these are faults of the catalogue.
    _at("k//2 all around, odd maps", lambda p: p.halving(DEPTHWISE, even=False), padded_conv(symmetric)),
    _at("max-pool: 1 all around, odd maps", lambda p: p.halving(POOL, even=False), padded_pool(symmetric)),
    _at("padded and cropped, even maps", lambda p: p.halving(DEPTHWISE, even=True), padded_conv(crop_of_padded)),
    _at("max-pool by ceil_mode, even maps", lambda p: p.halving(POOL, even=True), padded_pool(all_behind)),
    _at("max-pool by hand", lambda p: p.layers(POOL), _explicit_pool),
    _at("ReLU twice", lambda p: p.layers(RELU), followed_by(F.relu)),
    _at("sums the other way", lambda p: p.layers(r".*\.add"), replaced_by(lambda x, y: y + x)),
    _at("mean by sum", lambda _: ["final_layer.mean"], replaced_by(_mean)),
    _at("softmax by hand", lambda _: ["final_layer.predictions"], replaced_by(_softmax)),
)
COMPILED = Variation("torch.compile", compiled=True)
