"""TensorFlow's SAME padding, which is asymmetric where the total is odd."""

import torch.nn.functional as F
from torch import Tensor


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the numbers of pixels that SAME adds before and after a side of `size` pixels; the odd one goes behind."""
    # SAME gives a side of size / stride, rounded up, and pads as far as the last window needs it.
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> tuple[Tensor, tuple[int, int]]:
    """Split SAME padding of x (N, C, H, W) into what has to be done beforehand and what the operation can do.

    Return x, padded with `value` if a side needs an asymmetric padding, and the symmetric padding (rows, columns) that
    is left to the operation itself.
    """
    top, bottom = same_padding(x.shape[2], kernel, stride)
    left, right = same_padding(x.shape[3], kernel, stride)
    # PyTorch's operations pad both ends alike. Where that is enough, the map is not copied.
    if top == bottom and left == right:
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)
