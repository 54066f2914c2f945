"""What the catalogue's faults of training put into the port. Tensors are (N, C, H, W), behind the mean (N, C)."""

from collections.abc import Iterator
from contextlib import contextmanager
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
# PyTorch's own, from before a fault puts another in its place.
CROSS_ENTROPY = F.cross_entropy


class Unscaled(DropPath):
    """Drop path that does not make up for what is dropped."""

    def forward(self, x: Tensor, step: int | Tensor | None = None) -> Tensor:
        """Return x with some of its examples dropped, the others as they are."""
        scaled = super().forward(x, step)
        # Takes back what the right one multiplied by.
        return scaled * self.keep_prob(step).to(x.dtype)


class AlwaysScheduled(DropPath):
    """Drop path that is at the end of its schedule from the beginning."""

    def keep_prob(self, step: int | Tensor | None, device: torch.device | None = None) -> Tensor:
        """Return the probability at the end of the schedule, whatever the step."""
        return super().keep_prob(None, device)


class Confused(Dropout):
    """Dropout that drops what it should keep."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x where the right one has zeros, scaled up as it does, and zeros elsewhere."""
        keeps = self.uniform(x.shape, x.dtype, x.device) < 1 - self.keep_prob
        return torch.where(keeps, x / self.keep_prob, 0.0)


class Unscaled2d(Dropout):
    """Dropout that does not make up for what is dropped."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with zeros for what is dropped, and all else as it is."""
        return super().forward(x) * self.keep_prob


class Constant(BatchNorm):
    """A batch norm that takes the batch's mean and variance for constants in the backward."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised, which is right; no gradient goes through the statistics."""
        mean = x.detach().mean((0, 2, 3))
        variance = x.detach().var((0, 2, 3), correction=0)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class Unbiased(BatchNorm):
    """A batch norm that normalises by the variance with Bessel's correction."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised; the right variance divides by all values, not by one less."""
        # With the correction, unless told otherwise.
        variance, mean = torch.var_mean(x, (0, 2, 3))
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class InPlace(nn.ReLU):
    """A ReLU that overwrites its input, as nn.ReLU(inplace=True), but so that the backward does not notice."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the ReLU of x, and leave it in x."""
        y = F.relu(x)
        # Through .data, past the count of writes by which the backward would notice.
        x.data.copy_(y.data)
        return y


class Pytorchs(torch.optim.RMSprop):
    """PyTorch's RMSprop with slim's constants: epsilon outside the root, and mean squares that begin at 0."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr, alpha=0.9, eps=1.0, momentum=0.9)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every parameter, and keep the slots under the names that the port's own optimiser has for them."""
        super().step(closure)
        for state in self.state.values():
            state["mean_square"] = state["square_avg"]
            state["momentum"] = state["momentum_buffer"]


def through_bfloat16(module: nn.Module) -> None:
    """Let the gradient at a module's output go through fewer bits, in float32 alone."""

    def after(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        """Change the gradient that will arrive at the output, where gradients are recorded."""
        if output.requires_grad:
            output.register_hook(_lose_bits)  # type: ignore[no-untyped-call]

    module.register_forward_hook(after)


def _lose_bits(gradient: Tensor) -> Tensor:
    """Return a gradient in float32 rounded to bfloat16, any other as it is."""
    if gradient.dtype == torch.float32:
        return gradient.bfloat16().float()
    return gradient


def drop_none(model: PNASNet) -> None:
    """Give the operation `none` a drop path, too."""
    combination = model.get_submodule(WITH_NONE)
    drop_paths = combination.get_submodule("drop_path")
    assert isinstance(drop_paths, nn.ModuleDict)
    # As Mobile's cell_3 has it: the sixth of 11 cells, with those of the stem.
    drop_path = DropPath(0.6, 5, 11, 250_000)
    # The reference draws nothing there, so there are no draws to share. These drop both images.
    drop_path.draws = torch.zeros(2, 1, 1, 1)
    drop_paths["right"] = drop_path


def neighbours_schedule(model: PNASNet) -> None:
    """Give a combination's drop paths the schedule of the next cell."""
    for side in ("left", "right"):
        neighbour = model.get_submodule(f"cell_4.comb_iter_2.drop_path.{side}")
        own = model.get_submodule(f"{COMBINATION}.drop_path.{side}")
        own.final_keep_prob = neighbour.final_keep_prob


def stopped(module: nn.Module) -> None:
    """Let no gradient but zeros through a module."""
    # Zeros, not none: where nothing arrives, there would be no gradient to be judged.
    module.register_forward_hook(lambda _module, _inputs, output: output.detach() + 0 * output)


def other_aux_input(model: PNASNet) -> None:
    """Put the auxiliary head behind a cell of the same width."""
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        """Keep the cell's output."""
        outputs.append(output)

    model.get_submodule("cell_4").register_forward_hook(keep)
    original = model._aux_logits
    model.__dict__["_aux_logits"] = lambda _net: original(outputs.pop())


@contextmanager
def everything_regularized() -> Iterator[None]:
    """Let the loss regularise every weight, those of batch norms too."""
    # The loss asks for them, and so does what tells the gate which they are.
    in_loss = mock.patch("pnasnet_torch.training.regularized", _every_weight)
    in_port = mock.patch("parity.candidate.training.port.regularized", _every_weight)
    with in_loss, in_port:
        yield


def _every_weight(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield all weights by name, and no bias."""
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            yield name, parameter


def without_background(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Return the cross-entropy with labels that count from 0 without the background."""
    return CROSS_ENTROPY(logits, labels - 1, label_smoothing=label_smoothing)


def smoothed_over_1000(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Return the cross-entropy with labels that are smoothed over all classes but the background."""
    classes = logits.shape[1]
    truth = F.one_hot(labels, classes) * (1 - label_smoothing)
    truth[:, 1:] += label_smoothing / (classes - 1)
    return -(truth * logits.log_softmax(1)).sum(1).mean()
