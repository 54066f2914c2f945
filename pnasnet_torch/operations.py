"""One module for each operation of the official network, so that a hook sees each output. Tensors are (N, C, H, W)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.padding import pad_same

BATCH_NORM_EPSILON = 1e-3
# PyTorch's momentum is the weight of the new value, slim's decay that of the old one. The fused batch norm, which
# Google trained with, subtracts the decay from 1 in float32: 2.9999e-4.
BATCH_NORM_DECAY = 0.9997
BATCH_NORM_MOMENTUM = float(np.float32(1) - np.float32(BATCH_NORM_DECAY))
# `CLIP_BY_VALUE_CAP` of nasnet_utils.py.
CLIP = 6.0


class SameConv2d(nn.Conv2d):
    """slim.conv2d without bias, padding SAME; `groups` = channels makes it a depthwise convolution."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, filters, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution (N, filters, H', W') of x (N, channels, H, W)."""
        x, padding = pad_same(x, self.kernel_size[0], self.stride[0])
        return F.conv2d(x, self.weight, None, self.stride, padding, groups=self.groups)


class SeparableConv2d(nn.Module):
    """slim.separable_conv2d with depth multiplier 1: a depthwise convolution, then a pointwise one."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int) -> None:
        super().__init__()
        # Two modules, which slim joins in one operation: each has weights, and a layer of its own in the graph.
        self.depthwise = SameConv2d(channels, channels, kernel, stride, groups=channels)
        self.pointwise = SameConv2d(channels, filters, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the separable convolution (N, filters, H', W') of x (N, channels, H, W)."""
        return self.pointwise(self.depthwise(x))


class BatchNorm(nn.BatchNorm2d):
    """slim.batch_norm with the official decay and epsilon, and without PyTorch's count of batches, which slim lacks."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
        self.num_batches_tracked = None

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Mapping[str, Any], *args: Any
    ) -> None:
        """Load the weights from a state by name, as PyTorch does, whether the state has a version or not."""
        # Without a version (as from safetensors), PyTorch would add the count to the state and then find it unexpected.
        super()._load_from_state_dict(state_dict, prefix, {**local_metadata, "version": self._version}, *args)


class SameMaxPool2d(nn.Module):
    """slim.max_pool2d, padding SAME: what is added is never the largest."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest values (N, C, H', W') of x (N, C, H, W)."""
        # With zeros for padding, a window of negative values at the border would give 0.
        x, padding = pad_same(x, self.kernel, self.stride, value=-torch.inf)
        return F.max_pool2d(x, self.kernel, self.stride, padding)

    def extra_repr(self) -> str:
        """Return the kernel size and the stride, for the printed form."""
        return f"kernel={self.kernel}, stride={self.stride}"


class Subsample(nn.Module):
    """A path of `factorized_reduction`: every second pixel, from the first, or from the second with zeros behind.

    `offset` is 0 or 1.
    """

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        """Return the pixels (N, C, H / 2, W / 2) of x (N, C, H, W), sides rounded up."""
        pixels = x[:, :, self.offset :: 2, self.offset :: 2]
        # The official code pads the whole map and shifts it by a pixel. Zeros behind the chosen pixels give the same,
        # and only a quarter of the map is copied.
        missing_rows = -(-x.shape[2] // 2) - pixels.shape[2]
        missing_columns = -(-x.shape[3] // 2) - pixels.shape[3]
        if missing_rows or missing_columns:
            return F.pad(pixels, (0, missing_columns, 0, missing_rows))
        return pixels

    def extra_repr(self) -> str:
        """Return the offset, for the printed form."""
        return f"offset={self.offset}"


class Add(nn.Module):
    """The sum of two maps."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum of two maps (N, C, H, W)."""
        return left + right


class Concat(nn.Module):
    """The channels of all inputs, one after the other."""

    def forward(self, *parts: Tensor) -> Tensor:
        """Return the maps (N, C_i, H, W) as one (N, sum of C_i, H, W)."""
        return torch.cat(parts, dim=1)


class Clip(nn.Module):
    """`tf.clip_by_value` of the bounded network."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its values brought between -6 and 6."""
        return x.clamp(-CLIP, CLIP)


class GlobalMean(nn.Module):
    """The mean over the map."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the means (N, C) of x (N, C, H, W)."""
        return x.mean(dim=(2, 3))


class RandomOperation(nn.Module):
    """An operation that in training draws numbers, uniform in [0, 1).

    The numbers come from PyTorch's generator, or are `draws`, a tensor of the shape asked for, where that is set: so
    that two networks can share them.
    """

    draws: Tensor | None = None

    @property
    def draws_any(self) -> bool:
        """Whether the operation draws in training: not where everything is kept."""
        raise NotImplementedError

    def uniform(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return random numbers of this shape. Raise ValueError where `draws` have another shape."""
        if self.draws is None:
            return torch.rand(shape, dtype=dtype, device=device)
        if self.draws.shape != torch.Size(shape):
            raise ValueError(f"expected draws of shape {tuple(shape)}, found {tuple(self.draws.shape)}")
        return self.draws.to(device)


class Dropout(RandomOperation):
    """slim.dropout: keeps what draws at least 1 - keep_prob, and scales it up."""

    def __init__(self, keep_prob: float) -> None:
        super().__init__()
        self.keep_prob = keep_prob

    @property
    def draws_any(self) -> bool:
        """Whether values are dropped in training at all."""
        return self.keep_prob < 1

    def forward(self, x: Tensor) -> Tensor:
        """Return x, in training with some of its values dropped and the others scaled up."""
        if not (self.training and self.draws_any):
            return x
        # As TensorFlow compares them: the same draws keep the same values.
        is_kept = self.uniform(x.shape, x.dtype, x.device) >= 1 - self.keep_prob
        return torch.where(is_kept, x * (1 / self.keep_prob), torch.zeros_like(x))

    def extra_repr(self) -> str:
        """Return the probability to keep a value, for the printed form."""
        return f"keep_prob={self.keep_prob}"


class DropPath(RandomOperation):
    """The official `drop_path`: in training, whole examples of a branch are dropped, the others scaled up.

    The probability to keep falls with the cell's depth and, until `total_steps`, with the training step. As in the
    official code it is a float32 whatever the network's dtype is.
    """

    def __init__(self, keep_prob: float, depth: int, num_cells: int, total_steps: int) -> None:
        super().__init__()
        # At the end of the schedule; `depth` counts from 0, the official code from 1.
        self.final_keep_prob = 1 - (depth + 1) / num_cells * (1 - keep_prob)
        self.total_steps = total_steps

    @property
    def draws_any(self) -> bool:
        """Whether examples are dropped in training at all."""
        return self.final_keep_prob < 1

    def keep_prob(self, step: int | Tensor | None, device: torch.device | None = None) -> Tensor:
        """Return the probability to keep an example at training step `step`, a float32 scalar.

        None means the end of the schedule.
        """
        steps_done = self.total_steps if step is None else step
        done = torch.as_tensor(steps_done, dtype=torch.float32, device=device)
        return 1 - (done / self.total_steps).clamp(max=1.0) * (1 - self.final_keep_prob)

    def forward(self, x: Tensor, step: int | Tensor | None = None) -> Tensor:
        """Return x (N, C, H, W), in training with some of its examples dropped and the others scaled up."""
        if not (self.training and self.draws_any):
            return x
        keep_prob = self.keep_prob(step, x.device)
        # 1 with the probability to keep, else 0. In float32 up to here, as in the official code, and only then brought
        # to the network's dtype.
        is_kept = torch.floor(keep_prob + self.uniform((len(x), 1, 1, 1), torch.float32, x.device))
        return x * (1 / keep_prob).to(x.dtype) * is_kept.to(x.dtype)

    def extra_repr(self) -> str:
        """Return the probability to keep at the end of the schedule, for the printed form."""
        return f"final_keep_prob={self.final_keep_prob:.4g}"
