"""PNASNet-5 Mobile, as somebody else would write it: blocks, a list of cells, and functions for what has no weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-3
# Filters and stride of each cell; the first two are the stem's.
CELLS = [(13, 2), (27, 2), *[(54, 1)] * 3, (108, 2), *[(108, 1)] * 2, (216, 2), *[(216, 1)] * 2]


def pad(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad a map (N, C, H, W) as TensorFlow's SAME does: where the sum is odd, one more behind."""
    sides = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides, value=value)


class ConvBlock(nn.Module):
    """A ReLU, a convolution of one pixel, and a batch norm."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, rectified: bool = True) -> None:
        super().__init__()
        self.rectified = rectified
        self.conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map."""
        y: Tensor = self.bn(self.conv(F.relu(x) if self.rectified else x))
        return y


class SeparableBlock(nn.Module):
    """Twice a ReLU, a convolution of each channel, one of all channels, and a batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.dw1 = nn.Conv2d(inputs, inputs, kernel, stride, groups=inputs, bias=False)
        self.pw1 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.dw2 = nn.Conv2d(outputs, outputs, kernel, groups=outputs, bias=False)
        self.pw2 = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map."""
        x = self.bn1(self.pw1(self.dw1(pad(F.relu(x), self.kernel, self.stride))))
        y: Tensor = self.bn2(self.pw2(self.dw2(pad(F.relu(x), self.kernel, 1))))
        return y


class PoolBlock(nn.Module):
    """The largest of nine pixels, and a convolution where the number of channels changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.block = ConvBlock(inputs, outputs, rectified=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map."""
        y: Tensor = self.block(F.max_pool2d(pad(x, 3, self.stride, value=-torch.inf), 3, self.stride))
        return y


class Reduction(nn.Module):
    """A map of half the size: every second pixel, and so those beside them, each with a convolution of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.here = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.beside = nn.Conv2d(inputs, outputs - outputs // 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map."""
        x = F.relu(x)
        beside = F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2]
        y: Tensor = self.bn(torch.cat([self.here(x[:, :, ::2, ::2]), self.beside(beside)], 1))
        return y


class Cell(nn.Module):
    """Five sums of two operations each, on the cell's two inputs and on earlier sums."""

    def __init__(self, inputs: int, before: int, filters: int, stride: int, fit: nn.Module) -> None:
        super().__init__()
        self.fit = fit
        self.enter = ConvBlock(inputs, filters)
        self.a = SeparableBlock(before, filters, 5, stride)
        self.a_pool = PoolBlock(before, filters, stride)
        self.b = SeparableBlock(filters, filters, 7, stride)
        self.b_pool = PoolBlock(filters, filters, stride)
        self.c = SeparableBlock(filters, filters, 5, stride)
        self.c_too = SeparableBlock(filters, filters, 3, stride)
        self.d = SeparableBlock(filters, filters, 3, 1)
        self.d_pool = PoolBlock(filters, filters, stride)
        self.e = SeparableBlock(before, filters, 3, stride)
        self.e_skip = ConvBlock(filters, filters, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """Return the cell's output, of the output of the cell before it and of the one before that."""
        before = self.fit(before)
        x = self.enter(x)
        a = self.a(before) + self.a_pool(before)
        b = self.b(x) + self.b_pool(x)
        c = self.c(x) + self.c_too(x)
        d = self.d(c) + self.d_pool(x)
        e = self.e(before) + self.e_skip(x)
        return torch.cat([a, b, c, d, e], 1)


class PNASNetMobile(nn.Module):
    """PNASNet-5 Mobile: images (N, 3, H, W), with values from -1 to 1, to logits (N, classes).

    Of 1001 classes the first is the background.
    """

    def __init__(self, classes: int = 1001) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, 2, bias=False)
        self.first_bn = nn.BatchNorm2d(32, eps=EPSILON)
        self.cells = nn.ModuleList()
        # Of the outputs so far: how many channels, and how many times halved.
        known = [(32, 0)]
        for filters, stride in CELLS:
            (channels, halved), (before, before_halved) = known[-1], known[-2:][0]
            fit: nn.Module = nn.Identity()
            if before_halved != halved:
                fit, before = Reduction(before, filters), filters
            elif len(known) > 1 and before != filters:
                fit, before = ConvBlock(before, filters), filters
            self.cells.append(Cell(channels, before, filters, stride, fit))
            known.append((5 * filters, halved + stride - 1))
        self.classifier = nn.Linear(known[-1][0], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        outputs = [self.first_bn(self.first(images))]
        for cell in self.cells:
            outputs.append(cell(outputs[-1], outputs[-2:][0]))
        logits: Tensor = self.classifier(F.relu(outputs[-1]).mean((2, 3)))
        return logits
