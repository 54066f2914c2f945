"""Variations of training that change nothing but the order of roundings: none may raise an alarm."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.core.training_names import GRADIENT_FLOAT32
from parity.faults.training.bench import GATES, Plant, plant_nothing
from parity.faults.training.catalogue import Around
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import BatchNorm, SameMaxPool2d
from pnasnet_torch.padding import same_padding


class LastOfTies(SameMaxPool2d):
    """A max-pool that hands its gradient to the last of the largest elements, as would be as good."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest of each window (N, C, H, W)."""
        top, bottom = same_padding(x.shape[2], self.kernel, self.stride)
        left, right = same_padding(x.shape[3], self.kernel, self.stride)
        padded = F.pad(x, (left, right, top, bottom), value=-torch.inf)
        windows = padded.unfold(2, self.kernel, self.stride).unfold(3, self.kernel, self.stride)
        # max gives the gradient to the first that is largest: turned round, to the last.
        return windows.flatten(4).flip(4).max(4).values


def last_of_ties(model: PNASNet) -> None:
    """Make every max-pool hand its gradient to the last of the largest elements."""
    for module in model.modules():
        if type(module) is SameMaxPool2d:
            module.__class__ = LastOfTies


class _OwnNorm(BatchNorm):
    """A batch norm in the order of the formula."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            # For the moving statistics alone, which it moves; detached, so that it is no part of the backward.
            super().forward(x.detach())
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = x.var((0, 2, 3), correction=0, keepdim=True)
        scaled = (x - mean) / (variance + self.eps).sqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


def _own_norms(model: PNASNet) -> None:
    """Make every batch norm compute in the order of the formula."""
    for module in model.modules():
        if type(module) is BatchNorm:
            module.__class__ = _OwnNorm


def _channels_last(model: PNASNet) -> None:
    """Bring a model's weights to the memory format channels_last."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Run PyTorch on so many threads."""
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


@dataclass(frozen=True)
class TrainingVariation:
    """A change of nothing but the order of roundings, and, where elements tie, of who has the gradient.

    `plant` changes the port, `around` what it is trained in; it is judged by `gates`.
    """

    name: str
    plant: Plant = plant_nothing
    around: Around = nullcontext
    gates: Sequence[str] = GATES


VARIATIONS = (
    TrainingVariation("as it is"),
    TrainingVariation("two threads", around=partial(_threads, 2)),
    TrainingVariation(
        "channels_last",
        _channels_last,
        # In float32, PyTorch 2.13 ends the process in this backward.
        gates=[gate for gate in GATES if gate != GRADIENT_FLOAT32],
    ),
    TrainingVariation("the last of ties has the gradient", last_of_ties),
    TrainingVariation("batch norms in the formula's own order", _own_norms),
)
