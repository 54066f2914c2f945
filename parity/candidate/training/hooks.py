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
    """Not the port's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Given(torch.autograd.Function):
    """A value in the place of a layer's output; the gradient at it is the output's."""

    @staticmethod
    def forward(_ctx: Any, _output: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def report_gradient(report: ReportGradient, name: str, output: Tensor) -> None:
    """Has `report` called with the gradient at the layer called `name`."""
    if output.requires_grad:
        output.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: _replaced(gradient, asked(report, name, to_nhwc(gradient)))
        )


def asked(report: Report | ReportGradient, name: str, value: np.ndarray) -> np.ndarray | None:
    """What `report` returns. Raises ReportError for whatever it raises, which is no fault of the port."""
    try:
        return report(name, value)
    except Exception as error:
        raise ReportError(error) from error


def _replaced(gradient: Tensor, other_nhwc: np.ndarray | None) -> Tensor | None:
    return None if other_nhwc is None else to_nchw(other_nhwc, gradient.dtype)
