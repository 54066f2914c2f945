"""What the catalogue's faults put into the port."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch import PNASNet
from pnasnet_torch.operations import BatchNorm, Dropout, DropPath

COMBINATION = "cell_3.comb_iter_2"
# It adds the one operation that drop path spares, `none`, on its right.
WITH_NONE = "cell_3.comb_iter_4"
CROSS_ENTROPY = F.cross_entropy


class Unscaled(DropPath):
    """Does not make up for what is dropped."""

    def forward(self, x: Tensor, step: int | Tensor | None = None) -> Tensor:
        return super().forward(x, step) * self.keep_prob(step).to(x.dtype)


class AlwaysScheduled(DropPath):
    """At the end of its schedule from the beginning."""

    def keep_prob(self, step: int | Tensor | None, device: torch.device | None = None) -> Tensor:
        return super().keep_prob(None, device)


class Confused(Dropout):
    """Drops what it should keep."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.uniform(x.shape, x.dtype, x.device) < 1 - self.keep_prob, x / self.keep_prob, 0.0)


class Unscaled2d(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.keep_prob


class Constant(BatchNorm):
    """Takes the batch's mean and variance for constants in the backward."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3), correction=0)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class Unbiased(BatchNorm):
    """Normalises by the variance with Bessel's correction."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (0, 2, 3))
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class InPlace(nn.ReLU):
    """Overwrites its input, as nn.ReLU(inplace=True), but so that the backward does not notice."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(x)
        x.data.copy_(y.data)
        return y


class Pytorchs(torch.optim.RMSprop):
    """With slim's constants: epsilon outside the root, and mean squares that begin at 0."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr, alpha=0.9, eps=1.0, momentum=0.9)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        for state in self.state.values():
            state["mean_square"], state["momentum"] = state["square_avg"], state["momentum_buffer"]


def through_bfloat16(module: nn.Module) -> None:
    """In float32 alone, the gradient goes through fewer bits."""

    def lose(gradient: Tensor) -> Tensor:
        return gradient.bfloat16().float() if gradient.dtype == torch.float32 else gradient

    module.register_forward_hook(lambda _module, _inputs, output: output.register_hook(lose) and None)


def drop_none(model: PNASNet) -> None:
    combination = model.get_submodule(WITH_NONE)
    drop_path = combination.get_submodule("drop_path")
    assert isinstance(drop_path, nn.ModuleDict)
    made = DropPath(0.6, 5, 11, 250_000)
    made.draws = torch.zeros(2, 1, 1, 1)
    drop_path["right"] = made


def neighbours_schedule(model: PNASNet) -> None:
    for side in ("left", "right"):
        other = model.get_submodule(f"cell_4.comb_iter_2.drop_path.{side}")
        model.get_submodule(f"{COMBINATION}.drop_path.{side}").final_keep_prob = other.final_keep_prob


def stopped(module: nn.Module) -> None:
    module.register_forward_hook(lambda _module, _inputs, output: output.detach() + 0 * output)


def other_aux_input(model: PNASNet) -> None:
    """The auxiliary head behind a cell of the same width."""
    taken: list[Tensor] = []
    model.get_submodule("cell_4").register_forward_hook(lambda _module, _inputs, output: taken.append(output))
    original = model._aux_logits
    model.__dict__["_aux_logits"] = lambda _net: original(taken.pop())


@contextmanager
def everything_regularized() -> Iterator[None]:
    def regularized(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, parameter) for name, parameter in model.named_parameters() if name.endswith("weight"))

    with ExitStack() as stack:
        for place in ("pnasnet_torch.training.regularized", "parity.candidate.training.port.regularized"):
            stack.enter_context(mock.patch(place, regularized))
        yield


def without_background(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    return CROSS_ENTROPY(logits, labels - 1, label_smoothing=label_smoothing)


def smoothed_over_1000(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """The background gets none of it."""
    truth = F.one_hot(labels, logits.shape[1]) * (1 - label_smoothing)
    truth[:, 1:] += label_smoothing / (logits.shape[1] - 1)
    return -(truth * logits.log_softmax(1)).sum(1).mean()
