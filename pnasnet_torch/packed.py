"""A convolution for inference, whose weights lie ready in the order that oneDNN's kernels want them in."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.padding import pad_same


class PackedConv2d(nn.Conv2d):
    """A convolution, padding SAME, with the kernel size, stride and groups of `conv`, of `weight` and `bias`.

    PyTorch reorders a convolution's weights in every forward, which on small maps takes as long as the convolution. In
    float32 on a CPU they are reordered once for each new size of input and kept, as torch.compile does when it freezes
    a model. Everywhere else, and where gradients are asked for, it is PyTorch's convolution.
    """

    def __init__(self, conv: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
        (kernel, _), (stride, _) = conv.kernel_size, conv.stride
        super().__init__(conv.in_channels, conv.out_channels, kernel, stride, groups=conv.groups, device="meta")
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self._packed: tuple[object, Tensor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which reordered weights do not allow."""
        return {**self.__dict__, "_packed": None}

    def forward(self, x: Tensor) -> Tensor:
        x, padding = pad_same(x, self.kernel_size[0], self.stride[0])
        if not _packs(x):
            return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        geometry = padding, self.stride, self.dilation, self.groups
        weight = self._ready(x.shape, geometry)
        return torch.ops.mkldnn._convolution_pointwise(x, weight, self.bias, *geometry, "none", [], "")

    def _ready(self, shape: Sequence[int], geometry: tuple[object, ...]) -> Tensor:
        """The weights for an input of `shape`, reordered unless they are what was reordered last."""
        key = shape, geometry, self.weight.data_ptr(), self.weight._version
        packed = self._packed
        if packed is None or packed[0] != key:
            reorder = torch.ops.mkldnn._reorder_convolution_weight
            packed = self._packed = key, reorder(self.weight.detach(), *geometry, list(shape))
        return packed[1]


def _packs(x: Tensor) -> bool:
    onednn = torch.backends.mkldnn
    able = bool(onednn.is_available()) and bool(onednn.enabled)  # type: ignore[no-untyped-call]
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.compiler.is_compiling()
    gradients = torch.is_grad_enabled() and x.requires_grad
    return able and plain and not gradients
