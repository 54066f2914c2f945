"""What an operation of the port does instead of the official one: its parameters, then likely mistakes in turn."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from parity.candidate.capture import to_nchw, to_nhwc
from parity.candidate.model import CandidateModel, candidate_model
from parity.core.layers import layer_of
from parity.diagnosis.relations import describe, same
from pnasnet_torch import PNASNet

Variables = Mapping[str, np.ndarray]
EPSILON = 1e-3
# Pixels that are added before the first row, and before the first column.
Before = tuple[int, int]
# What a mistake is called, and what the layer then gives (N, C, H, W).
Mistake = tuple[str, Callable[[], Tensor]]


@dataclass(frozen=True)
class Operation:
    """An official layer: its operation's type, the values that feed it and its own (NHWC), and its variables' values
    by the last part of their names, as in `moving_mean`."""

    kind: str
    inputs: tuple[np.ndarray, ...]
    expected: np.ndarray
    variables: Variables


def parameter_hints(model: PNASNet | CandidateModel, layer: str, official: Variables) -> list[str]:
    """How the parameters of the port's `layer` differ from the official variables, in words; empty if they do not."""
    hints = []
    for name, tensor in candidate_model(model).variables().items():
        if layer_of(name) == layer and name in official:
            # Checkpoints hold float32, so that what was done to a value was most likely rounded to it.
            actual = tensor.numpy().astype(np.float32)
            expected = official[name].astype(np.float32)
            if not np.array_equal(actual, expected):
                found = describe(actual, expected) or _of_another(actual, official) or _other_values(actual, expected)
                hints.append(f"{name}: {found}")
    return hints


def _of_another(actual: np.ndarray, official: Variables) -> str:
    """The official variable that has these values."""
    for name, array in official.items():
        if array.shape == actual.shape and np.array_equal(array.astype(actual.dtype), actual):
            return f"the values of {name}"
    return ""


def _other_values(actual: np.ndarray, expected: np.ndarray) -> str:
    """How many values differ, and one of them to its last bit: the difference may be no more than that."""
    if actual.shape != expected.shape:
        return "other values"
    different = np.argwhere(actual != expected)
    index = tuple(int(i) for i in different[0])
    return (
        f"{len(different):,} of {actual.size:,} values differ, such as {list(index)}: "
        f"{actual[index]:.9g}, not {expected[index]:.9g}"
    )


def mistake(operation: Operation, actual: np.ndarray) -> str:
    """The mistake that comes nearest to `actual`, in words; empty if none of the known ones gives it to rounding."""
    if actual.shape != operation.expected.shape or not np.isfinite(actual).all():
        return ""
    missed: dict[str, float] = {}
    for words, compute in _mistakes(operation):
        try:
            candidate = to_nhwc(compute())
        except RuntimeError:  # a mistake that is impossible with these shapes
            continue
        if not same(candidate, operation.expected) and same(actual, candidate):
            missed.setdefault(words, float(np.linalg.norm((actual - candidate).ravel())))
    return min(missed, key=lambda words: missed[words], default="")


def _mistakes(operation: Operation) -> Iterator[Mistake]:
    inputs = [to_nchw(array, torch.from_numpy(operation.expected).dtype) for array in operation.inputs]
    match operation.kind:
        case "Conv2D" | "DepthwiseConv2dNative":
            yield from _convolution(inputs[0], operation)
        case "MaxPool":
            yield from _max_pool(inputs[0], operation.expected.shape[1:3])
        case "AvgPool":
            yield from _subsample(inputs[0], operation.expected.shape[1:3])
        case "ConcatV2":
            yield from _concat(inputs)
        case "Mean":
            yield "the sum", lambda: inputs[0].sum(dim=(2, 3))
            yield "the largest", lambda: inputs[0].amax(dim=(2, 3))
            yield "the mean over the batch too", lambda: inputs[0].mean(dim=(0, 2, 3)).expand(len(inputs[0]), -1)
        case "Softmax":
            yield "its logarithm", lambda: inputs[0].log_softmax(1)
            yield "each class by itself: a sigmoid", lambda: inputs[0].sigmoid()
        case _ if "moving_mean" in operation.variables:
            yield from _batch_norm(inputs[0], operation.variables)
        case "AddV2" if len(inputs) == 2:
            left, right = inputs
            yield "the right branch is missing", lambda: left
            yield "the left branch is missing", lambda: right
            yield "the difference", lambda: left - right
            yield "the product", lambda: left * right
    if len(inputs) == 1:
        yield "its input: a missing ReLU" if operation.kind == "Relu" else "its input", lambda: inputs[0]


def _convolution(x: Tensor, operation: Operation) -> Iterator[Mistake]:
    kernel = torch.from_numpy(next(iter(operation.variables.values()))).to(x.dtype)
    depthwise = operation.kind == "DepthwiseConv2dNative"
    weight, groups = kernel.permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)), kernel.shape[2] if depthwise else 1
    size = operation.expected.shape[1:3]

    def conv(x: Tensor, weight: Tensor, before: Before | None = None, mode: str = "constant") -> Tensor:
        padded, stride = _padded(x, weight.shape[-1], size, before, mode)
        return F.conv2d(padded, weight, None, stride, groups=groups)[:, :, : size[0], : size[1]]

    for words, before in _other_paddings(x, weight.shape[-1], size):
        yield words, partial(conv, x, weight, before)
    for mode in ("reflect", "replicate"):
        yield f"padding by {mode}", partial(conv, x, weight, mode=mode)
    yield "a ReLU on its input", lambda: conv(x.relu(), weight)
    yield "its input's channels in reverse", lambda: conv(x.flip(1), weight)
    yield "kernel transposed: rows and columns exchanged", lambda: conv(x, weight.transpose(2, 3))
    yield "kernel transposed: inputs and outputs exchanged", lambda: conv(x, weight.transpose(0, 1))
    for axes, name in (((2,), "rows"), ((3,), "columns"), ((2, 3), "rows and columns")):
        yield f"kernel flipped along {name}", partial(conv, x, weight.flip(axes))


def _padded(
    x: Tensor, kernel: int, size: tuple[int, ...], before: Before | None, mode: str = "constant", value: float = 0.0
) -> tuple[Tensor, tuple[int, int]]:
    """x padded for `size` outputs, by `before` pixels (None: as the official code), and the strides of both axes."""
    strides, official = _strides_and_padding(x, kernel, size)
    pads: list[int] = []
    for axis in (1, 0):  # F.pad takes the last axis first
        first = (before or official)[axis]
        needed = (size[axis] - 1) * strides[axis] + kernel
        pads += [first, max(needed - x.shape[2 + axis] - first, 0)]
    return F.pad(x, pads, mode, value) if mode == "constant" else F.pad(x, pads, mode), strides


def _other_paddings(x: Tensor, kernel: int, size: tuple[int, ...]) -> Iterator[tuple[str, Before]]:
    """Paddings that a port may have instead of the official one: other pixels before both axes, or before one."""
    _, official = _strides_and_padding(x, kernel, size)
    rows, columns = official
    others = {(columns, rows)}
    for pixels in range(kernel):
        others |= {(pixels, pixels), (pixels, columns), (rows, pixels)}
    for before in sorted(others - {official}):
        if rows == columns and before[0] == before[1]:
            yield f"padding of {before[0]} before instead of {rows}", before
            continue
        exchanged = ": rows and columns exchanged" if before == (columns, rows) else ""
        yield f"padding of {_in_words(before)} instead of {_in_words(official)}{exchanged}", before


def _in_words(before: Before) -> str:
    return f"{before[0]} before the rows and {before[1]} before the columns"


def _strides_and_padding(x: Tensor, kernel: int, size: tuple[int, ...]) -> tuple[tuple[int, int], Before]:
    """The strides of rows and columns, and the pixels that TensorFlow adds before each."""
    (rows, top), (columns, left) = (
        _stride_and_padding(side, kernel, outputs) for side, outputs in zip(x.shape[2:], size, strict=True)
    )
    return (rows, columns), (top, left)


def _stride_and_padding(side: int, kernel: int, outputs: int) -> tuple[int, int]:
    """The stride that gives so many outputs, and the pixels that TensorFlow then adds before; by SAME if it can be.

    Worked out here, since the port's own arithmetic may be what is wrong.
    """
    for stride in (1, 2, 3):
        if -(-side // stride) == outputs:
            return stride, max((outputs - 1) * stride + kernel - side, 0) // 2
    return next(stride for stride in (1, 2, 3, side) if (side - kernel) // stride + 1 <= outputs), 0


def _max_pool(x: Tensor, size: tuple[int, ...]) -> Iterator[Mistake]:
    def pool(before: Before | None, value: float) -> Tensor:
        padded, stride = _padded(x, 3, size, before, value=value)
        return F.max_pool2d(padded, 3, stride)[:, :, : size[0], : size[1]]

    def average(counts_padding: bool) -> Tensor:
        padded, stride = _padded(x, 3, size, None)
        ones, _ = _padded(torch.ones_like(x), 3, size, None)
        total, count = (F.avg_pool2d(each, 3, stride)[:, :, : size[0], : size[1]] for each in (padded, ones))
        return total if counts_padding else total / count

    yield "padded with 0 instead of -inf", lambda: pool(None, 0.0)
    for words, before in _other_paddings(x, 3, size):
        yield words, partial(pool, before, -torch.inf)
        yield f"{words}, with 0 instead of -inf", partial(pool, before, 0.0)
    yield "the average, padding left out", lambda: average(counts_padding=False)
    yield "the average, padding counted", lambda: average(counts_padding=True)


def _subsample(x: Tensor, size: tuple[int, ...]) -> Iterator[Mistake]:
    def every_second(rows: int, columns: int) -> Tensor:
        return F.pad(x, (0, 2, 0, 2))[:, :, rows::2, columns::2][:, :, : size[0], : size[1]]

    for rows, columns in product((0, 1), repeat=2):
        yield f"every second pixel from row {rows} and column {columns}", partial(every_second, rows, columns)
    yield "the average of 2x2 pixels", lambda: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 2)[:, :, : size[0], : size[1]]


def _concat(parts: list[Tensor]) -> Iterator[Mistake]:
    for order in permutations(range(len(parts))):
        words = "its parts in the order " + ", ".join(str(i) for i in order)
        yield words, partial(torch.cat, [parts[i] for i in order], 1)


def _batch_norm(x: Tensor, variables: Variables) -> Iterator[Mistake]:
    tensors = (torch.from_numpy(variables[name]).to(x.dtype) for name in ("moving_mean", "moving_variance"))
    mean, variance = tensors
    beta = torch.from_numpy(variables["beta"]).to(x.dtype)
    gamma = torch.from_numpy(variables["gamma"]).to(x.dtype) if "gamma" in variables else torch.ones_like(beta)

    def norm(scale: Tensor, mean: Tensor = mean, gamma: Tensor = gamma, beta: Tensor = beta) -> Tensor:
        return (x - mean[:, None, None]) * (gamma * scale)[:, None, None] + beta[:, None, None]

    usual = torch.rsqrt(variance + EPSILON)
    yield "gamma and beta exchanged", lambda: norm(usual, gamma=beta, beta=gamma)
    yield "mean and variance exchanged", lambda: norm(torch.rsqrt(mean + EPSILON), variance)
    yield "no gamma", lambda: norm(usual, gamma=torch.ones_like(beta))
    yield "no beta", lambda: norm(usual, beta=torch.zeros_like(beta))
    yield "no mean", lambda: norm(usual, torch.zeros_like(mean))
    yield "no variance", lambda: norm(torch.rsqrt(torch.ones_like(variance) + EPSILON))
    for epsilon in (0.0, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8):
        yield f"epsilon {epsilon:g}", partial(norm, torch.rsqrt(variance + epsilon))
    yield "epsilon added behind the root", lambda: norm(1 / (variance.sqrt() + EPSILON))
    yield "the variance taken for the deviation", lambda: norm(1 / (variance + EPSILON))
    for words, unbiased in (("", False), (", unbiased", True)):
        scale = torch.rsqrt(x.var(dim=(0, 2, 3), unbiased=unbiased) + EPSILON)
        yield f"the batch's own mean and variance{words}: training mode", partial(norm, scale, x.mean(dim=(0, 2, 3)))
