"""Faults of padding: what each side of a map gets before and behind. Tensors are (N, C, H, W)."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault
from parity.faults.plant import Plant, part, replace
from parity.faults.sides import MapPads
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import SameMaxPool2d
from pnasnet_torch.padding import same_padding

DEPTHWISE = r".*\.depthwise"
POOL = r".*\.max_pool"
# Ports that have the fault.
CHENXI = "chenxi116/PNASNet.pytorch"
CADENE = "Cadene/pretrained-models.pytorch"
# The pixels before and behind a side, from its length, the kernel and the stride.
Pads = Callable[[int, int, int], tuple[int, int]]


def padded_conv(pads: Pads, mode: str = "constant") -> Plant:
    """Return a plant that pads a convolution as `pads` says, in a mode of F.pad."""
    return partial(_pad_conv, pads=pads, mode=mode)


def _pad_conv(model: PNASNet, site: str, pads: Pads, mode: str) -> None:
    """Pad a convolution as `pads` says, in a mode of F.pad."""
    conv = part(model, site)
    kernel = conv.kernel_size[0]
    stride = conv.stride[0]

    def forward(x: Tensor) -> Tensor:
        """Return the convolution of x, padded beforehand."""
        rows = pads(x.shape[2], kernel, stride)
        columns = pads(x.shape[3], kernel, stride)
        # F.pad begins with the last dimension. The convolution's own padding would be the same on both sides.
        padded = F.pad(x, (*columns, *rows), mode)
        return F.conv2d(padded, conv.weight, None, stride, groups=conv.groups)

    conv.forward = forward


def padded_pool(pads: Pads, value: float = -torch.inf) -> Plant:
    """Return a plant that pads a max-pool as `pads` says, with `value`."""
    return partial(_pad_pool, pads=pads, value=value)


def _pad_pool(model: PNASNet, site: str, pads: Pads, value: float) -> None:
    """Pad a max-pool as `pads` says, with `value`."""
    stride = part(model, site).stride

    def forward(x: Tensor) -> Tensor:
        """Return the max-pool of x, padded beforehand."""
        rows = pads(x.shape[2], 3, stride)
        columns = pads(x.shape[3], 3, stride)
        padded = F.pad(x, (*columns, *rows), value=value)
        return F.max_pool2d(padded, 3, stride)

    replace(model, site, forward)


def padded_map(pads: MapPads) -> Plant:
    """Return a plant that pads a convolution or a max-pool as `pads` says, from both sides of the map."""
    return partial(_pad_map, pads=pads)


def _pad_map(model: PNASNet, site: str, pads: MapPads) -> None:
    """Pad a convolution or a max-pool as `pads` says, from both sides of the map."""
    module = part(model, site)
    if isinstance(module, SameMaxPool2d):
        kernel = module.kernel
        stride = module.stride
    else:
        kernel = module.kernel_size[0]
        stride = module.stride[0]

    def forward(x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W), or its max-pool."""
        rows, columns = pads((x.shape[2], x.shape[3]), kernel, stride)
        # F.pad begins with the last dimension.
        padding = (*columns, *rows)
        if isinstance(module, SameMaxPool2d):
            return F.max_pool2d(F.pad(x, padding, value=-torch.inf), kernel, stride)
        return F.conv2d(F.pad(x, padding), module.weight, None, stride, groups=module.groups)

    module.forward = forward


def symmetric(_side: int, kernel: int, _stride: int) -> tuple[int, int]:
    """Return half of the kernel before and behind, as PyTorch's own padding has it."""
    return kernel // 2, kernel // 2


def reversed_same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels of SAME, the odd one before instead of behind."""
    first, last = same_padding(side, kernel, stride)
    return last, first


def all_behind(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return all pixels of SAME behind."""
    return 0, sum(same_padding(side, kernel, stride))


def all_before(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return all pixels of SAME before."""
    return sum(same_padding(side, kernel, stride)), 0


def crop_of_padded(side: int, kernel: int, _stride: int) -> tuple[int, int]:
    """Return the padding of a port that pads a row more before, and cuts off the first row of the result.

    With stride 2, that comes to one pixel less before. It is right for even maps.
    """
    # With the row more, the last window of an odd map ends one pixel before the last.
    behind = kernel // 2
    if side % 2 == 1:
        behind -= 1
    return kernel // 2 - 1, behind


def _none(_side: int, _kernel: int, _stride: int) -> tuple[int, int]:
    """Return no padding."""
    return 0, 0


def _one_pixel(_side: int, _kernel: int, _stride: int) -> tuple[int, int]:
    """Return one pixel before and behind."""
    return 1, 1


def _one_side_only(model: PNASNet, site: str) -> None:
    """Pad rows as they should be, columns symmetrically."""
    conv = part(model, site)
    kernel = conv.kernel_size[0]

    def forward(x: Tensor) -> Tensor:
        """Return the convolution of x with stride 2, padded beforehand."""
        rows = same_padding(x.shape[2], kernel, 2)
        columns = (kernel // 2, kernel // 2)
        padded = F.pad(x, (*columns, *rows))
        return F.conv2d(padded, conv.weight, None, 2, groups=conv.groups)

    conv.forward = forward


PADDING = (
    # On an odd map that is halved, SAME is symmetric, and this is right: one of the harmless variations.
    Fault(
        "depthwise: k//2 all around, even map",
        lambda p: p.halving(DEPTHWISE, even=True),
        padded_conv(symmetric),
        port=CHENXI,
    ),
    Fault(
        "max-pool: 1 all around, even map",
        lambda p: p.halving(POOL, even=True),
        padded_pool(symmetric),
        port=CHENXI,
    ),
    Fault(
        "depthwise: odd pixel before, even map",
        lambda p: p.halving(DEPTHWISE, even=True),
        padded_conv(reversed_same),
    ),
    Fault("max-pool: odd pixel before, even map", lambda p: p.halving(POOL, even=True), padded_pool(reversed_same)),
    Fault("depthwise: all behind", lambda p: p.keeping(DEPTHWISE), padded_conv(all_behind)),
    Fault("depthwise: all behind, odd map", lambda p: p.halving(DEPTHWISE, even=False), padded_conv(all_behind)),
    Fault("max-pool: all before", lambda p: p.keeping(POOL), padded_pool(all_before)),
    # On an even map that is halved, the one pixel of a kernel of 3 is behind anyway.
    Fault("max-pool: all behind, odd map (ceil_mode)", lambda p: p.halving(POOL, even=False), padded_pool(all_behind)),
    Fault(
        "depthwise: padded and cropped as for even maps, odd map",
        lambda p: p.halving(DEPTHWISE, even=False),
        padded_conv(crop_of_padded),
        port=CADENE,
    ),
    Fault(
        "max-pool: padded and cropped as for even maps, odd map",
        lambda p: p.halving(POOL, even=False),
        padded_pool(crop_of_padded),
        port=CADENE,
    ),
    Fault("depthwise: columns alone symmetric, even map", lambda p: p.halving(DEPTHWISE, even=True), _one_side_only),
    # F.pad can reflect or wrap around only pixels that the map has: a kernel of 7 asks for 3.
    Fault("depthwise: reflected", lambda p: p.keeping(DEPTHWISE, least=5), padded_conv(same_padding, "reflect")),
    Fault("depthwise: replicated", lambda p: p.layers(DEPTHWISE), padded_conv(same_padding, "replicate")),
    Fault("depthwise: wrapped around", lambda p: p.keeping(DEPTHWISE, least=5), padded_conv(same_padding, "circular")),
    # Without padding, a kernel of 7 gives nothing on fewer than 7 pixels.
    Fault("depthwise: none", lambda p: p.keeping(DEPTHWISE, least=8), padded_conv(_none)),
    Fault("max-pool: padded with 0", lambda p: p.keeping(POOL), padded_pool(same_padding, 0.0)),
    Fault("max-pool: padded with 0, halving", lambda p: p.halving(POOL), padded_pool(same_padding, 0.0)),
    # The first convolution is VALID.
    Fault("conv0: SAME", lambda _: ["conv0"], padded_conv(_one_pixel)),
)
