"""Likely mistakes of each kind of operation: what they are called, and what a layer that makes one gives.

A layer's output has `size` rows and columns officially; strides and paddings are worked out from that and its input.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import permutations, product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Variables = Mapping[str, np.ndarray]
# The official batch norm's: the port's own may be what is wrong.
EPSILON = 1e-3
# Rows and columns.
Size = tuple[int, ...]
# Pixels that are added before the first row, and before the first column.
Before = tuple[int, int]
# What a mistake is called, and what the layer then gives (N, C, H, W). That is computed only when it is its turn, so
# that one such map is held at a time.
Mistake = tuple[str, Callable[[], Tensor]]


def convolution(x: Tensor, kernel: np.ndarray, size: Size, depthwise: bool) -> Iterator[Mistake]:
    """Yield the mistakes of a convolution of `x` (N, C, H, W) with a `kernel` in TensorFlow's layout."""
    weight = torch.from_numpy(kernel).to(x.dtype)
    if depthwise:
        # (H, W, channels, 1) to (channels, 1, H, W), each channel a group.
        weight = weight.permute(2, 3, 0, 1)
        groups = kernel.shape[2]
    else:
        # (H, W, in, out) to (out, in, H, W).
        weight = weight.permute(3, 2, 0, 1)
        groups = 1

    def conv(x: Tensor, weight: Tensor, before: Before | None = None, mode: str = "constant") -> Tensor:
        """Return the convolution of another input, with another kernel, or with another padding."""
        padded, strides = _padded(x, weight.shape[-1], size, before, mode)
        return _cropped(F.conv2d(padded, weight, None, strides, groups=groups), size)

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


def _cropped(output: Tensor, size: Size) -> Tensor:
    """Return the first rows and columns of `output` (N, C, H, W), as many as the official layer has.

    With more padding before, or more pixels behind than are needed, there may be more.
    """
    return output[:, :, : size[0], : size[1]]


def _padded(
    x: Tensor, kernel: int, size: Size, before: Before | None, mode: str = "constant", value: float = 0.0
) -> tuple[Tensor, tuple[int, int]]:
    """Return x (N, C, H, W) padded for `size` outputs, and the strides of rows and columns.

    `before` are the pixels that are added before both; None: as the official code adds them. Behind come as many as are
    still missing.
    """
    strides, official = _strides_and_padding(x, kernel, size)
    if before is None:
        before = official
    pads: list[int] = []
    for axis in (1, 0):  # F.pad takes the last axis first
        needed = (size[axis] - 1) * strides[axis] + kernel
        pads += [before[axis], max(needed - x.shape[2 + axis] - before[axis], 0)]
    if mode != "constant":  # F.pad then refuses a value
        return F.pad(x, pads, mode), strides
    return F.pad(x, pads, mode, value), strides


def _other_paddings(x: Tensor, kernel: int, size: Size) -> Iterator[tuple[str, Before]]:
    """Yield paddings that a candidate may have instead of the official one, in words and pixels.

    Other pixels before both axes, or before one: on a map that is not square, rows and columns may officially be padded
    differently.
    """
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


def _strides_and_padding(x: Tensor, kernel: int, size: Size) -> tuple[tuple[int, int], Before]:
    """Return the strides of rows and columns, and the pixels that TensorFlow adds before each."""
    _, _, height, width = x.shape
    row_stride, top = _stride_and_padding(height, kernel, size[0])
    column_stride, left = _stride_and_padding(width, kernel, size[1])
    return (row_stride, column_stride), (top, left)


def _stride_and_padding(side: int, kernel: int, outputs: int) -> tuple[int, int]:
    """Return the stride that gives so many outputs, and the pixels that TensorFlow then adds before.

    Padding is SAME if it can be, else VALID, which adds none.
    """
    # Worked out here, since the port's own arithmetic may be what is wrong.
    for stride in (1, 2, 3):
        if -(-side // stride) == outputs:
            # Of an odd number of pixels the larger part goes behind.
            return stride, max((outputs - 1) * stride + kernel - side, 0) // 2
    for stride in (1, 2, 3):
        if (side - kernel) // stride + 1 <= outputs:
            return stride, 0
    return side, 0


def max_pool(x: Tensor, size: Size) -> Iterator[Mistake]:
    """Yield the mistakes of a max-pool of 3x3 pixels of `x` (N, C, H, W), as all of the network's are."""

    def pool(before: Before | None, value: float) -> Tensor:
        """Return the max-pool with `before` (None: the official pixels) of this value added."""
        padded, strides = _padded(x, 3, size, before, value=value)
        return _cropped(F.max_pool2d(padded, 3, strides), size)

    def average(counts_padding: bool) -> Tensor:
        """Return the average over each window, of all its pixels or of those in the map."""
        padded, strides = _padded(x, 3, size, None)
        total = _cropped(F.avg_pool2d(padded, 3, strides), size)
        if counts_padding:
            return total
        # The share of each window that lies in the map: zeros that were added count for nothing then.
        ones, _ = _padded(torch.ones_like(x), 3, size, None)
        return total / _cropped(F.avg_pool2d(ones, 3, strides), size)

    yield "padded with 0 instead of -inf", lambda: pool(None, 0.0)
    for words, before in _other_paddings(x, 3, size):
        yield words, partial(pool, before, -torch.inf)
        yield f"{words}, with 0 instead of -inf", partial(pool, before, 0.0)
    yield "the average, padding left out", lambda: average(counts_padding=False)
    yield "the average, padding counted", lambda: average(counts_padding=True)


def subsample(x: Tensor, size: Size) -> Iterator[Mistake]:
    """Yield the mistakes of a path of a factorized reduction, which takes every second pixel of `x` (N, C, H, W)."""

    def every_second(rows: int, columns: int) -> Tensor:
        """Return every second pixel from this row and this column on."""
        # Zeros behind, since one row or column fewer is left from the second pixel on.
        return _cropped(F.pad(x, (0, 2, 0, 2))[:, :, rows::2, columns::2], size)

    for rows, columns in product((0, 1), repeat=2):
        yield f"every second pixel from row {rows} and column {columns}", partial(every_second, rows, columns)
    yield "the average of 2x2 pixels", lambda: _cropped(F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 2), size)


def concat(parts: list[Tensor]) -> Iterator[Mistake]:
    """Yield all orders of the parts; the right one gives what is expected, and so is no mistake."""
    for order in permutations(range(len(parts))):
        words = "its parts in the order " + ", ".join(map(str, order))
        yield words, partial(torch.cat, [parts[i] for i in order], 1)


def batch_norm(x: Tensor, variables: Variables) -> Iterator[Mistake]:
    """Yield the mistakes of a batch norm of `x` (N, C, H, W); without a gamma it is 1."""
    mean = torch.from_numpy(variables["moving_mean"]).to(x.dtype)
    variance = torch.from_numpy(variables["moving_variance"]).to(x.dtype)
    beta = torch.from_numpy(variables["beta"]).to(x.dtype)
    gamma = torch.ones_like(beta)
    if "gamma" in variables:
        gamma = torch.from_numpy(variables["gamma"]).to(x.dtype)

    def norm(scale: Tensor, mean: Tensor = mean, gamma: Tensor = gamma, beta: Tensor = beta) -> Tensor:
        """Return the batch norm with this scale in the place of 1 / sqrt(variance + epsilon), or other parameters."""
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
    # PyTorch normalises with the biased variance in training; the unbiased one is what it keeps.
    for words, unbiased in (("", False), (", unbiased", True)):
        scale = torch.rsqrt(x.var(dim=(0, 2, 3), unbiased=unbiased) + EPSILON)
        yield f"the batch's own mean and variance{words}: training mode", partial(norm, scale, x.mean(dim=(0, 2, 3)))
