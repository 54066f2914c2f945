"""What an operation of the candidate does instead of the official one: its parameters, then likely mistakes in turn."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from parity.candidate.capture import to_nchw, to_nhwc
from parity.candidate.model import CandidateModel, candidate_model
from parity.core.layers import layer_of
from parity.diagnosis.mistakes import Mistake, Variables, batch_norm, concat, convolution, max_pool, subsample
from parity.diagnosis.relations import describe, same
from pnasnet_torch import PNASNet


@dataclass(frozen=True)
class Operation:
    """An official layer: its operation's type, the values that feed it and its own (NHWC), and its variables' values.

    `variables` are by the last part of their names, as in `moving_mean`, and in TensorFlow's layouts.
    """

    kind: str
    inputs: tuple[np.ndarray, ...]
    expected: np.ndarray
    variables: Variables


def parameter_hints(model: PNASNet | CandidateModel, layer: str, official: Variables) -> list[str]:
    """Return in words how the parameters of the candidate's `layer` differ from the official variables.

    One sentence for each parameter that differs; none if no parameter does.
    """
    hints = []
    for name, tensor in candidate_model(model).variables().items():
        if layer_of(name) != layer or name not in official:
            continue
        # Checkpoints hold float32, so that what was done to a value was most likely rounded to it.
        actual = tensor.numpy().astype(np.float32)
        expected = official[name].astype(np.float32)
        if not np.array_equal(actual, expected):
            # From the most to the least telling.
            difference = describe(actual, expected) or _of_another(actual, official) or _other_values(actual, expected)
            hints.append(f"{name}: {difference}")
    return hints


def _of_another(actual: np.ndarray, official: Variables) -> str:
    """Return in words which official variable has these values; empty if none has."""
    for name, array in official.items():
        if array.shape == actual.shape and np.array_equal(array.astype(actual.dtype), actual):
            return f"the values of {name}"
    return ""


def _other_values(actual: np.ndarray, expected: np.ndarray) -> str:
    """Return in words how many values differ, and one of them to its last bit: the difference may be no more."""
    if actual.shape != expected.shape:
        return "other values"
    different = np.argwhere(actual != expected)
    index = tuple(different[0].tolist())
    return (
        f"{len(different):,} of {actual.size:,} values differ, such as {list(index)}: "
        f"{actual[index]:.9g}, not {expected[index]:.9g}"
    )


def mistake(operation: Operation, actual: np.ndarray) -> str:
    """Return in words the mistake that comes nearest to `actual` (NHWC).

    Empty if none of the known ones gives it to rounding, or where `actual` is of another shape or not finite.
    """
    if actual.shape != operation.expected.shape or not np.isfinite(actual).all():
        return ""
    # In float32 several mistakes may be the same to rounding, as are small epsilons beside a large variance: so the
    # nearest is told, and not the first.
    distances: dict[str, float] = {}
    for words, compute in _mistakes(operation):
        try:
            mistaken_nhwc = to_nhwc(compute())
        except RuntimeError:  # a mistake that is impossible with these shapes
            continue
        # On some inputs a mistake changes nothing: then it explains nothing either.
        if not same(mistaken_nhwc, operation.expected) and same(actual, mistaken_nhwc):
            difference = (actual - mistaken_nhwc).ravel()
            distances.setdefault(words, float(np.linalg.norm(difference)))
    return min(distances, key=lambda words: distances[words], default="")


def _mistakes(operation: Operation) -> Iterator[Mistake]:
    """Yield the known mistakes of this kind of operation, on its official inputs and in the dtype of its output."""
    dtype = torch.from_numpy(operation.expected).dtype
    inputs = [to_nchw(array, dtype) for array in operation.inputs]
    size = operation.expected.shape[1:3]
    match operation.kind:
        case "Conv2D" | "DepthwiseConv2dNative":
            # No convolution has a bias: the kernel is its only variable.
            kernel = next(iter(operation.variables.values()))
            yield from convolution(inputs[0], kernel, size, depthwise=operation.kind != "Conv2D")
        case "MaxPool":
            yield from max_pool(inputs[0], size)
        case "AvgPool":
            yield from subsample(inputs[0], size)
        case "ConcatV2":
            yield from concat(inputs)
        case "Mean":
            yield "the sum", lambda: inputs[0].sum(dim=(2, 3))
            yield "the largest", lambda: inputs[0].amax(dim=(2, 3))
            yield "the mean over the batch too", lambda: inputs[0].mean(dim=(0, 2, 3)).expand(len(inputs[0]), -1)
        case "Softmax":
            yield "its logarithm", lambda: inputs[0].log_softmax(1)
            yield "each class by itself: a sigmoid", lambda: inputs[0].sigmoid()
        # By its variables, and before AddV2: in float64 TensorFlow's batch norm is not fused, and its last operation is
        # a sum.
        case _ if "moving_mean" in operation.variables:
            yield from batch_norm(inputs[0], operation.variables)
        case "AddV2" if len(inputs) == 2:
            left, right = inputs
            yield "the right branch is missing", lambda: left
            yield "the left branch is missing", lambda: right
            yield "the difference", lambda: left - right
            yield "the product", lambda: left * right
    if len(inputs) == 1:
        yield "its input: a missing ReLU" if operation.kind == "Relu" else "its input", lambda: inputs[0]
