"""Variations that change nothing but the order of roundings, if that: none may raise an alarm."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Plant
from parity.faults.padding import DEPTHWISE, POOL, all_behind, crop_of_padded, padded_conv, padded_pool, symmetric
from parity.faults.parameters import BN, normalised
from parity.faults.plant import after, change, part, replace
from parity.faults.sites import Places, Sites
from pnasnet_torch import PNASNet
from pnasnet_torch.padding import same_padding

Everywhere = Callable[[PNASNet, Places], None]


@dataclass(frozen=True)
class Variation:
    """`plant` changes the model, `around` the runtime; it is one only where it has `sites`. Layers that are `folded`
    into others have no value of their own, a `compiled` model is run as one, and more `threads` than one take a process
    that no other disturbs."""

    name: str
    plant: Everywhere = lambda _model, _places: None
    sites: Sites = lambda _places: [""]
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    folded: Callable[[Places], list[str]] = lambda _places: []
    compiled: bool = False
    threads: int = 1


@contextmanager
def _runtime(threads: int, onednn: bool) -> Iterator[None]:
    usual = torch.get_num_threads(), torch.backends.mkldnn.enabled
    torch.set_num_threads(threads)
    torch.backends.mkldnn.enabled = onednn  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.set_num_threads(usual[0])
        torch.backends.mkldnn.enabled = usual[1]


def _channels_last(model: PNASNet, _places: Places) -> None:
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _grid() -> Iterator[Variation]:
    """Threads, memory formats, and kernels."""
    for threads, last, onednn in product((1, 2, 4), (False, True), (True, False)):
        name = f"{threads} threads, {'channels_last' if last else 'NCHW'}, oneDNN {'on' if onednn else 'off'}"
        plant = _channels_last if last else Variation.plant

        def around(threads: int = threads, onednn: bool = onednn) -> AbstractContextManager[None]:
            return _runtime(threads, onednn)

        yield Variation(name, plant, around=around, threads=threads)


def _at(name: str, sites: Sites, plant: Plant) -> Variation:
    """A change at all of `sites`."""

    def everywhere(model: PNASNet, places: Places) -> None:
        for site in sites(places):
            plant(model, site)

    return Variation(name, everywhere, sites)


def _convolutions(places: Places) -> list[str]:
    """The convolutions that a batch norm follows directly."""
    feeders = places.graph.feeders
    rows = [feeders[name][0] for name in places.layers(BN)]
    return [name for name in rows if places.graph.layers[name].kind == "Conv2D"]


def _fold(model: PNASNet, places: Places) -> None:
    """Each batch norm into the convolution before it."""
    for name in places.layers(BN):
        conv, bn = places.graph.feeders[name][0], part(model, name)
        if conv in _convolutions(places):
            _fold_one(model, conv, bn)
            replace(model, name, lambda x: x)


def _fold_one(model: PNASNet, conv: str, bn: Any) -> None:
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    bias = bn.bias - bn.running_mean * scale
    change(model, conv, "weight", lambda weight: weight * scale[:, None, None, None])
    after(model, conv, lambda x: x + bias[:, None, None])


def _explicit_pool(model: PNASNet, site: str) -> None:
    """The largest of the shifted maps."""
    stride = part(model, site).stride

    def forward(x: Tensor) -> Tensor:
        rows, columns = (same_padding(side, 3, stride) for side in x.shape[2:])
        windows = F.pad(x, (*columns, *rows), value=-torch.inf).unfold(2, 3, stride).unfold(3, 3, stride)
        return windows.amax(dim=(4, 5))

    replace(model, site, forward)


def _mean(x: Tensor) -> Tensor:
    return x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])


def _softmax(x: Tensor) -> Tensor:
    powers = (x - x.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


VARIATIONS = (
    *_grid(),
    Variation("batch norms folded", _fold, folded=_convolutions),
    _at("batch norms by hand", lambda p: p.layers(BN), normalised(lambda var, eps: 1 / (var + eps).sqrt())),
    _at("padding outside of the convolution", lambda p: p.layers(DEPTHWISE), padded_conv(same_padding)),
    _at("k//2 all around, odd maps", lambda p: p.halving(DEPTHWISE, False), padded_conv(symmetric)),
    _at("max-pool: 1 all around, odd maps", lambda p: p.halving(POOL, False), padded_pool(symmetric)),
    _at("padded and cropped, even maps", lambda p: p.halving(DEPTHWISE, True), padded_conv(crop_of_padded)),
    _at("max-pool by ceil_mode, even maps", lambda p: p.halving(POOL, True), padded_pool(all_behind)),
    _at("max-pool by hand", lambda p: p.layers(POOL), _explicit_pool),
    _at("ReLU twice", lambda p: p.layers(r".*\.relu(_\d)?"), lambda m, s: after(m, s, F.relu)),
    _at("sums the other way", lambda p: p.layers(r".*\.add"), lambda m, s: replace(m, s, lambda x, y: y + x)),
    _at("mean by sum", lambda _: ["final_layer.mean"], lambda m, s: replace(m, s, _mean)),
    _at("softmax by hand", lambda _: ["final_layer.predictions"], lambda m, s: replace(m, s, _softmax)),
)
COMPILED = Variation("torch.compile", compiled=True)
