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
# Google trained with, subtracts it from 1 in float32: 2.9999e-4.
BATCH_NORM_DECAY = 0.9997
BATCH_NORM_MOMENTUM = float(np.float32(1) - np.float32(BATCH_NORM_DECAY))
CLIP = 6.0


class SameConv2d(nn.Conv2d):
    """slim.conv2d without bias, padding SAME; `groups` = channels makes it a depthwise convolution."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, filters, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x, padding = pad_same(x, self.kernel_size[0], self.stride[0])
        return F.conv2d(x, self.weight, None, self.stride, padding, groups=self.groups)


class SeparableConv2d(nn.Module):
    """slim.separable_conv2d with depth multiplier 1: a depthwise convolution, then a pointwise one."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.depthwise = SameConv2d(channels, channels, kernel, stride, groups=channels)
        self.pointwise = SameConv2d(channels, filters, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class BatchNorm(nn.BatchNorm2d):
    """slim.batch_norm with the official decay and epsilon, and without PyTorch's count of batches, which slim lacks."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
        self.num_batches_tracked = None

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Mapping[str, Any], *args: Any
    ) -> None:
        # Without a version (as from safetensors), PyTorch would add the count to the state and then find it unexpected.
        super()._load_from_state_dict(state_dict, prefix, {**local_metadata, "version": self._version}, *args)


class SameMaxPool2d(nn.Module):
    """slim.max_pool2d, padding SAME: what is added is never the largest."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        x, padding = pad_same(x, self.kernel, self.stride, value=-torch.inf)
        return F.max_pool2d(x, self.kernel, self.stride, padding)

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, stride={self.stride}"


class Subsample(nn.Module):
    """A path of `factorized_reduction`: every second pixel, from the first, or from the second with zeros behind."""

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        pixels = x[:, :, self.offset :: 2, self.offset :: 2]
        missing = [-(-side // 2) - found for side, found in zip(x.shape[2:], pixels.shape[2:], strict=True)]
        return F.pad(pixels, (0, missing[1], 0, missing[0])) if any(missing) else pixels

    def extra_repr(self) -> str:
        return f"offset={self.offset}"


class Add(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


class Concat(nn.Module):
    """Channels of all inputs, one after the other."""

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, dim=1)


class Clip(nn.Module):
    """`tf.clip_by_value` of the bounded network."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(-CLIP, CLIP)


class GlobalMean(nn.Module):
    """(N, C, H, W) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class RandomOperation(nn.Module):
    """An operation that in training draws numbers, uniform in [0, 1).

    They come from PyTorch's generator, or are `draws`, a tensor of the shape asked for, where that is set: so that two
    networks can share them.
    """

    draws: Tensor | None = None

    @property
    def draws_any(self) -> bool:
        """Whether it draws in training: not where everything is kept."""
        raise NotImplementedError

    def uniform(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Raises ValueError where `draws` have another shape."""
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
        return self.keep_prob < 1

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.draws_any):
            return x
        kept = self.uniform(x.shape, x.dtype, x.device) >= 1 - self.keep_prob
        return torch.where(kept, x * (1 / self.keep_prob), torch.zeros_like(x))

    def extra_repr(self) -> str:
        return f"keep_prob={self.keep_prob}"


class DropPath(RandomOperation):
    """The official `drop_path`: in training, whole examples of a branch are dropped, the others scaled up.

    The probability to keep falls with the cell's depth and, until `total_steps`, with the training step. As in the
    official code it is a float32 whatever the network's dtype is.
    """

    def __init__(self, keep_prob: float, depth: int, num_cells: int, total_steps: int) -> None:
        super().__init__()
        self.final_keep_prob = 1 - (depth + 1) / num_cells * (1 - keep_prob)
        self.total_steps = total_steps

    @property
    def draws_any(self) -> bool:
        return self.final_keep_prob < 1

    def keep_prob(self, step: int | Tensor | None, device: torch.device | None = None) -> Tensor:
        """At training step `step`, a float32 scalar; None means the end of the schedule."""
        done = torch.as_tensor(self.total_steps if step is None else step, dtype=torch.float32, device=device)
        return 1 - (done / self.total_steps).clamp(max=1.0) * (1 - self.final_keep_prob)

    def forward(self, x: Tensor, step: int | Tensor | None = None) -> Tensor:
        if not (self.training and self.draws_any):
            return x
        keep_prob = self.keep_prob(step, x.device)
        kept = torch.floor(keep_prob + self.uniform((len(x), 1, 1, 1), torch.float32, x.device))
        return x * (1 / keep_prob).to(x.dtype) * kept.to(x.dtype)

    def extra_repr(self) -> str:
        return f"final_keep_prob={self.final_keep_prob:.4g}"
