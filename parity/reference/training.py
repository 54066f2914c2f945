"""The interface of what gives official values of training: the official network as it runs, or a trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parity.core.layers import Network
from parity.core.training_names import STATISTICS, names
from tf_reference.layers import Layer
from tf_reference.training_run import Batch

Arrays = dict[str, np.ndarray]
# The learning rate of whole steps: the least that slim's schedules end in. Weights that were never trained are no
# minimum, and at slim's first, 0.01, each step makes rounding some ten times as large (docs/calibration.md).
RATE = 0.0001
# After how many updates moving statistics are compared.
UPDATES = (1, 3)


@dataclass(frozen=True)
class Parts:
    """What the official training graph has: layers, what gets a gradient, what draws, what the loss regularises."""

    layers: Mapping[str, Layer]
    gradients: frozenset[str]
    draws: frozenset[str]
    regularized: frozenset[str]


@dataclass(frozen=True)
class IntegerGradients:
    """The integer network in evaluation, up to its last map: inputs, and official values and gradients by name.

    `given_nhwc` is the gradient that the backward begins with, at the last map. All of this takes gigabytes, of which
    judging leaves nothing.
    """

    layers: Mapping[str, Layer]
    variables: Mapping[str, np.ndarray]
    images_nhwc: np.ndarray
    given_nhwc: np.ndarray
    values: Arrays
    gradients: Arrays


class OfficialTraining(Protocol):
    """The official network, trained from `variables` on `batches`.

    Layers are NHWC and variables in TensorFlow's layouts, all by name. What a method returns is the caller's to use up.
    """

    @property
    def parts(self) -> Parts:
        """What the official training graph has."""
        ...

    @property
    def variables(self) -> Mapping[str, np.ndarray]:
        """The variables that training begins with."""
        ...

    @property
    def batches(self) -> Sequence[Batch]:
        """The batches that are trained on, one for each step."""
        ...

    @property
    def untrained(self) -> bool:
        """Whether the auxiliary head has random weights, as the checkpoint has none for the size."""
        ...

    def forward(self, dtype: str) -> Arrays:
        """Return each layer's value on the first batch."""
        ...

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """Return the parts of the loss, and the gradients at each layer and of each variable, on the first batch."""
        ...

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Return how far each of `gradients` is from what the official network makes of the same values in float64.

        `values` and `gradients` are the official ones in float32; the errors are signed, and in float32 too.
        """
        ...

    def statistics(self) -> dict[int, Arrays]:
        """Return the moving statistics in float32, from zero, after each number of updates in `UPDATES`."""
        ...

    def steps(self, count: int) -> Arrays:
        """Return all variables, and what the optimiser and the averages keep, after `count` whole steps in float64."""
        ...

    def integers(self) -> IntegerGradients:
        """Return the integer network's values and gradients."""
        ...

    def release(self, dtype: str) -> None:
        """Free what it takes to run in `dtype`."""
        ...


def unmoved(variables: Mapping[str, np.ndarray], network: Network) -> Arrays:
    """Return the variables with moving statistics at zero, so that no bit of an update is lost behind what was there.

    From a checkpoint's, an update moves them by 3e-4 of the difference alone (docs/calibration.md).
    """
    reset = dict(variables)
    for name in names(STATISTICS, network):
        reset[name] = np.zeros_like(variables[name])
    return reset
