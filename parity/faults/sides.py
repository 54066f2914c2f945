"""Ways to take rows for columns, or a map for a square. On a square, each gives what is right.

Tensors are (N, C, H, W), rows x columns; a side is a number of either.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.plant import Change
from pnasnet_torch.padding import same_padding

Pair = tuple[int, int]
# The pixels before and behind the rows, and those of the columns, from the two sides, the kernel and the stride.
MapPads = Callable[[Pair, int, int], tuple[Pair, Pair]]


def same(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return the right padding."""
    rows, columns = sides
    return same_padding(rows, kernel, stride), same_padding(columns, kernel, stride)


def exchanged(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return what whoever names the rows first has from F.pad, which takes the columns first."""
    return same(sides[::-1], kernel, stride)


def of_rows(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return the rows' padding for both sides."""
    return same((sides[0], sides[0]), kernel, stride)


def of_columns(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return the columns' padding for both sides."""
    return same((sides[1], sides[1]), kernel, stride)


def exchanged_before(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return the padding with the pixels before rows and before columns exchanged."""
    rows, columns = same(sides, kernel, stride)
    # Each side keeps the sum of its pixels, so that every shape is right.
    before_rows = columns[0]
    before_columns = rows[0]
    return (before_rows, sum(rows) - before_rows), (before_columns, sum(columns) - before_columns)


def sized_by_rows(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return a padding of both sides for as many outputs as the rows have."""
    rows, columns = sides
    outputs = -(-rows // stride)
    return _for_outputs(outputs, rows, kernel, stride), _for_outputs(outputs, columns, kernel, stride)


def sized_by_columns(sides: Pair, kernel: int, stride: int) -> tuple[Pair, Pair]:
    """Return a padding of both sides for as many outputs as the columns have."""
    columns, rows = sized_by_rows(sides[::-1], kernel, stride)
    return rows, columns


def _for_outputs(outputs: int, side: int, kernel: int, stride: int) -> Pair:
    """Return the pixels before and behind a side for so many outputs, the odd one behind as in SAME."""
    needed = (outputs - 1) * stride + kernel
    total = max(needed - side, 0)
    return total // 2, total - total // 2


def cropped(x: Tensor) -> Tensor:
    """Return the map cut down to a square as long as its shorter side."""
    side = min(x.shape[2:])
    return x[:, :, :side, :side]


def zeroed(x: Tensor) -> Tensor:
    """Return the map with zeros outside of the square as long as its shorter side."""
    rows, columns = x.shape[2:]
    side = min(rows, columns)
    return F.pad(cropped(x), (0, columns - side, 0, rows - side))


def letterboxed(x: Tensor) -> Tensor:
    """Return the map with zeros behind, up to a square as long as its longer side."""
    rows, columns = x.shape[2:]
    side = max(rows, columns)
    return F.pad(x, (0, side - columns, 0, side - rows))


def laid_out(x: Tensor) -> Tensor:
    """Return a channel's pixels, one behind the other, as columns x rows."""
    images, channels, rows, columns = x.shape
    return x.reshape(images, channels, columns, rows)


def laid_out_nhwc(x: Tensor) -> Tensor:
    """Return an image's pixels, one behind the other, as columns x rows."""
    images, channels, rows, columns = x.shape
    # A file has all channels of a pixel together.
    image_nhwc = x.permute(0, 2, 3, 1)
    read_nhwc = image_nhwc.reshape(images, columns, rows, channels)
    return read_nhwc.permute(0, 3, 1, 2)


def strided(x: Tensor) -> Tensor:
    """Return each row read as many pixels behind the last as there are rows, not columns."""
    rows, columns = x.shape[2:]
    starts = torch.arange(rows)[:, None] * rows
    positions = starts + torch.arange(columns)
    # With more rows than columns, the last rows would lie behind the map's end.
    return x.flatten(2)[:, :, positions % (rows * columns)]


def resized(x: Tensor, rows: int, columns: int) -> Tensor:
    """Return the map resized to rows x columns."""
    return F.interpolate(x, (rows, columns), mode="bilinear")


def windowed(x: Tensor, rows: int, columns: int) -> Tensor:
    """Return the mean (N, C) of the first rows x columns pixels.

    Raises RuntimeError where the map has not as many.
    """
    return F.avg_pool2d(x, (rows, columns))[:, :, 0, 0]


# What each is called. The first shows only where a map is halved, the second wherever it is no square.
PADS: dict[str, MapPads] = {
    "padding of rows and columns exchanged": exchanged,
    "padding of the rows for both": of_rows,
    "padding of the columns for both": of_columns,
    "pixels before exchanged": exchanged_before,
}
SIZES: dict[str, MapPads] = {
    "as many columns as rows": sized_by_rows,
    "as many rows as columns": sized_by_columns,
}
# Of the output of a layer.
MAPS: dict[str, Change] = {
    "cropped to a square": cropped,
    "zero outside of a square": zeroed,
    "laid out as columns x rows": laid_out,
}
# Of the images on their way in.
IMAGES: dict[str, Change] = {
    "read as columns x rows": laid_out_nhwc,
    "read with the stride of the rows": strided,
    "resized to columns x rows": lambda x: resized(x, x.shape[3], x.shape[2]),
    "resized to a square": lambda x: resized(x, x.shape[2], x.shape[2]),
    "cropped to a square": cropped,
    "cropped to a square, then resized": lambda x: resized(cropped(x), x.shape[2], x.shape[3]),
    "padded to a square": letterboxed,
}
# Of the last map, from (N, C, H, W) to (N, C).
MEANS: dict[str, Change] = {
    "over the rows squared": lambda x: x.sum(dim=(2, 3)) / x.shape[2] ** 2,
    "over the columns squared": lambda x: x.sum(dim=(2, 3)) / x.shape[3] ** 2,
    "of rows x rows": lambda x: windowed(x, x.shape[2], x.shape[2]),
    "of columns x columns": lambda x: windowed(x, x.shape[3], x.shape[3]),
    "of columns x rows": lambda x: windowed(x, x.shape[3], x.shape[2]),
}
