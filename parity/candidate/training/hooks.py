"""Values and gradients on their way through the port: reported, and, where another is given, replaced."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.candidate.capture import to_nchw, to_nhwc

Report = Callable[[str, np.ndarray], None]
# May return what a gradient is to be from there on.
ReportGradient = Callable[[str, np.ndarray], np.ndarray | None]


class ReportError(Exception):
    """An `error` of a report: no fault of the candidate, through which it is on its way."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Given(torch.autograd.Function):
    """A value in the place of a layer's output; the gradient at it is the output's."""

    @staticmethod
    def forward(_ctx: Any, _output: Tensor, value: Tensor) -> Tensor:
        """Return the value, as a tensor of its own."""
        return value.clone()

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient at the output, and none at the value, which nothing comes before."""
        return gradient, None


def report_gradient(report: ReportGradient, name: str, output: Tensor) -> None:
    """Have `report` called with the gradient (NHWC) at the output (NCHW) of the layer called `name`, once it is known.

    What `report` returns, if anything, takes the gradient's place in the rest of the backward.
    """

    def hook(gradient: Tensor) -> Tensor | None:
        """Return the gradient (NCHW) to go on from, or None for this one."""
        replacement_nhwc = asked(report, name, to_nhwc(gradient))
        if replacement_nhwc is None:
            return None
        return to_nchw(replacement_nhwc, gradient.dtype)

    # Where the layer depends on nothing that is trained, there is no gradient, and PyTorch takes no hook.
    if output.requires_grad:
        output.register_hook(hook)  # type: ignore[no-untyped-call]


def asked(report: Report | ReportGradient, name: str, value: np.ndarray) -> np.ndarray | None:
    """Return what `report` returns. Raises ReportError for whatever it raises, which is no fault of the candidate."""
    try:
        return report(name, value)
    except Exception as error:
        raise ReportError(error) from error
