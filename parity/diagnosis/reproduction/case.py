"""An operation at fault with what it takes, cut to the least that still shows the fault."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from parity.candidate.capture import to_nchw, to_nhwc
from parity.core import metrics
from parity.core.policy import FLOAT64
from parity.core.result import Check
from parity.diagnosis.reproduction.program import Program

Values = TypeVar("Values", np.ndarray, Tensor)

# Official kinds whose output channels are not their input channels.
MIXING = ("Conv2D", "BiasAdd")
# By the last part of a variable's name: its axes of input and of output channels in TensorFlow's layout, and in
# PyTorch's; a variable for each channel has the same of both.
AXES = {
    "weights": ((-2, -1), (1, 0)),
    "pointwise_weights": ((-2, -1), (1, 0)),
    "depthwise_weights": ((2, 2), (0, 0)),
}
OF_CHANNELS = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Case:
    """A layer of an official `kind`, on inputs (NHWC) and official `variables` by name, and what the candidate does.

    `constants` are the candidate's, and `variable_of` the official variable that each of them is, where it is one. It
    is `exact` where nothing may differ.
    """

    layer: str
    kind: str
    inputs: tuple[np.ndarray, ...]
    variables: Mapping[str, np.ndarray]
    program: Program
    constants: Mapping[str, Tensor]
    variable_of: Mapping[str, str]
    exact: bool

    def actual(self) -> np.ndarray:
        """Return what the candidate gives (NHWC). Raises whatever PyTorch raises."""
        inputs = [to_nchw(array, torch.from_numpy(array[:0]).dtype) for array in self.inputs]
        return to_nhwc(self.program.run(inputs, self.constants)).copy()

    def checks(self, actual: np.ndarray, expected: np.ndarray) -> tuple[Check, ...]:
        """Return how far the candidate's values (NHWC) are from the official ones, and how far they may be."""
        distance = metrics.distance(actual, expected)
        if self.exact:
            return (Check("largest difference", distance.largest, 0),)
        relative_l2 = _share(distance.l2, metrics.norm(expected))
        largest = _share(distance.largest, metrics.largest(expected))
        return (
            Check("relative L2", relative_l2, FLOAT64.relative_l2),
            Check("largest difference / largest value", largest, FLOAT64.relative_largest),
        )

    def of_image(self, number: int) -> "Case":
        """Return the case on one of its images."""
        return replace(self, inputs=tuple(array[number : number + 1] for array in self.inputs))

    def of_region(self, rows: slice, columns: slice) -> "Case":
        """Return the case on a part of its maps."""
        return replace(self, inputs=tuple(array[:, rows, columns] for array in self.inputs))

    def of_channels(self, taken: slice, given: slice) -> "Case":
        """Return the case on some of its input channels, for some of its output channels."""
        variables = {}
        for name, array in self.variables.items():
            axes, _ = _axes(name)
            variables[name] = _cut(array, axes, taken, given)
        constants = {}
        for name, tensor in self.constants.items():
            if name in self.variable_of:
                _, axes = _axes(self.variable_of[name])
                constants[name] = _cut(tensor, axes, taken, given).contiguous()
            else:
                constants[name] = tensor
        inputs = tuple(array[..., taken] for array in self.inputs)
        program = self.program.with_groups(inputs[0].shape[-1])
        return replace(self, inputs=inputs, variables=variables, constants=constants, program=program)


def _share(measured: float, whole: float) -> float:
    """Return the share of a whole, of which there may be none."""
    if whole:
        return measured / whole
    return float("inf") if measured else 0.0


def _axes(variable: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a variable's axes of input and output channels, in TensorFlow's layout and in PyTorch's."""
    return AXES.get(variable.rpartition("/")[2], OF_CHANNELS)


def _cut(values: Values, axes: tuple[int, int], taken: slice, given: slice) -> Values:
    """Return values, an array or a tensor, for some of the input channels and of the output channels."""
    taken_axis, given_axis = axes
    for axis, part in {taken_axis: taken, given_axis: given}.items():
        index = [slice(None)] * values.ndim
        index[axis] = part
        values = values[tuple(index)]
    return values


def smallest(case: Case, shows: Callable[[Case], bool], worst: tuple[int, ...]) -> Case:
    """Return the least of the case that still shows the fault; `worst` is the index of the worst element (NHWC)."""
    for attempt in (_images, _regions, _channels):
        for smaller in attempt(case, worst):
            if shows(smaller):
                case = smaller
                break
    return case


def _images(case: Case, worst: tuple[int, ...]) -> Iterator[Case]:
    yield case.of_image(worst[0])


def _sizes(whole: int) -> Iterator[int]:
    """Yield sizes below a whole one, each twice as large as the one before it."""
    size = 1
    while size < whole:
        yield size
        size *= 2


def _regions(case: Case, _worst: tuple[int, ...]) -> Iterator[Case]:
    """Yield the case on corners of its maps, the smallest first: what is wrong at an edge alone shows there, too."""
    first = case.inputs[0]
    if first.ndim != 4:
        return
    for size in _sizes(max(first.shape[1:3])):
        yield case.of_region(slice(size), slice(size))
        yield case.of_region(slice(-size, None), slice(-size, None))
        # With an odd and an even side, as padding differs with that.
        yield case.of_region(slice(size), slice(size + 1))


def _channels(case: Case, worst: tuple[int, ...]) -> Iterator[Case]:
    """Yield the case on few of its channels, the fewest first, that of the worst element among them."""
    channel = worst[-1]
    given = slice(channel, channel + 1)
    if case.kind not in MIXING:
        # A concatenation has as many channels as all its inputs together.
        channel = channel % case.inputs[0].shape[-1]
        yield case.of_channels(slice(channel, channel + 1), slice(channel, channel + 1))
    for count in _sizes(case.inputs[0].shape[-1]):
        taken = slice(count)
        yield case.of_channels(taken, given if case.kind in MIXING else taken)
    if case.kind in MIXING:
        yield case.of_channels(slice(None), given)
