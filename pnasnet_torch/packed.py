"""A convolution for inference, whose weights lie ready in the order that oneDNN's kernels want them in."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.padding import pad_same

_convolution = torch.ops.mkldnn._convolution_pointwise.default  # here with no operation behind it


class Packed(NamedTuple):
    """Reordered weights, and what goes with them.

    `geometry` is the operation's (padding, stride, dilation, groups), `pads` whether x has to be padded beforehand, and
    `made_for` the input's shape and the weights (address and version) that the reordered ones were made for.
    """

    weight: Tensor
    geometry: tuple[Any, ...]
    pads: bool
    made_for: tuple[torch.Size, int, int]


class PackedConv2d(nn.Conv2d):
    """A convolution, padding SAME, with the kernel size, stride and groups of `conv`, of `weight` and `bias`.

    PyTorch reorders a convolution's weights in every forward, which on small maps takes as long as the convolution. In
    float32 on a CPU they are reordered once for each new size of input and kept, as torch.compile does when it freezes
    a model. Everywhere else, and where gradients are asked for, it is PyTorch's convolution.
    """

    def __init__(self, conv: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
        kernel, _ = conv.kernel_size
        stride, _ = conv.stride
        # On the meta device no random weights are made only to be replaced.
        super().__init__(conv.in_channels, conv.out_channels, kernel, stride, groups=conv.groups, device="meta")
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self._packed: Packed | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and pickles, which reordered weights do not allow: a copy packs its own."""
        return {**self.__dict__, "_packed": None}

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        if not _packs(x):
            x, padding = pad_same(x, self.kernel_size[0], self.stride[0])
            return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        weight, bias, packed = self.weight, self.bias, self._packed
        # For the large network these lines run 360 times, on caches that convolutions have just filled. A change in
        # place gives the weights another version, a replacement another address.
        if packed is None or packed.made_for != (x.shape, weight.data_ptr(), weight._version):
            packed = self._packed = self._pack(x)
        if packed.pads:
            x, _ = pad_same(x, self.kernel_size[0], self.stride[0])
        output: Tensor = _convolution(x, packed.weight, bias, *packed.geometry, "none", [], "")
        return output

    def _pack(self, x: Tensor) -> Packed:
        """Return the weights reordered for an input like `x`."""
        padded, padding = pad_same(x, self.kernel_size[0], self.stride[0])
        weight = self.weight.detach()
        geometry = (padding, self.stride, self.dilation, self.groups)
        # oneDNN chooses the order by the size of the input, too.
        reordered = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(padded.shape))
        made_for = (x.shape, weight.data_ptr(), weight._version)
        return Packed(reordered, geometry, padded is not x, made_for)


def _packs(x: Tensor) -> bool:
    """Return whether a convolution of `x` is computed by oneDNN, with no gradient to be asked for."""
    return (
        x.is_cpu
        and x.dtype == torch.float32
        and torch._C._get_mkldnn_enabled()
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.compiler.is_compiling()
        and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    )
