"""slim's evaluation preprocessing without TensorFlow: from a file's bytes to the network's input, the same bits.

Follows `preprocess_for_eval` in research/slim/preprocessing/inception_preprocessing.py, step by step and in its order
of float32 operations: decode as TensorFlow does by default (libjpeg-turbo, fast integer DCT, smooth upsampling); scale
to 0..1; central crop; bilinear resize on TensorFlow's legacy grid (source = index * in / out; the aspect ratio is not
kept); scale to -1..1.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pnasnet_torch.decode import ImageError, decode

# Reading images takes no PyTorch: it is imported only where tensors come in.
if TYPE_CHECKING:
    from torch import Tensor

CENTRAL_FRACTION = 0.875
# TensorFlow multiplies by the reciprocal, it does not divide.
SCALE = np.float32(1 / 255)


def load_image(
    path: str | Path,
    height: int,
    width: int,
    central_fraction: float = CENTRAL_FRACTION,
    accurate_dct: bool = False,
) -> np.ndarray:
    """Return a JPEG or PNG file as the network's input: (height, width, 3), float32 from -1 to 1, RGB.

    Raise ImageError, naming the file, if it cannot be read or is no sound image.
    """
    try:
        return preprocess(decode(Path(path).read_bytes(), accurate_dct), height, width, central_fraction)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from error
    except ImageError as error:
        raise ImageError(f"{path} {error}") from error


class Axis(NamedTuple):
    """Where the outputs of one axis of the crop and resize come from: two source indices, and the second's weight."""

    lower: np.ndarray
    upper: np.ndarray
    weight: np.ndarray


def resize_axis(size: int, target: int, central_fraction: float) -> Axis:
    """Return the axis from `size` source pixels, cropped to the central fraction, to `target` pixels.

    Follows `tf.image.central_crop` (the margin is cut in float64) and TensorFlow's legacy scaler (float32). Raise
    ValueError for a fraction out of range, a target below 1, or a crop that leaves no pixel.
    """
    if not 0 < central_fraction <= 1:
        raise ValueError(f"central_fraction {central_fraction}: expected more than 0, at most 1")
    if target < 1:
        raise ValueError(f"a target of {target} pixels: expected at least 1")
    # In float64, as TensorFlow's eager code; a graph that does not know the image's size rounds the fraction to float32
    # first, which does not affect 0.875.
    start = int((size - size * central_fraction) / 2)
    cropped = size - 2 * start
    # Without a pixel, the compiled loops would read what lies behind an empty array.
    if cropped < 1:
        raise ValueError(f"central_fraction {central_fraction} of {size} pixels leaves none")
    # The ratio is rounded to float32 before the index is multiplied by it, which decides where a pixel lies.
    ratio = np.float32(cropped) / np.float32(target)
    source = np.arange(target, dtype=np.float32) * ratio
    lower = np.floor(source)
    upper = np.minimum(np.ceil(source), cropped - 1)
    return Axis(lower.astype(np.int64) + start, upper.astype(np.int64) + start, source - lower)


def preprocess(
    image_hwc: np.ndarray, height: int, width: int, central_fraction: float = CENTRAL_FRACTION
) -> np.ndarray:
    """Return a decoded image (H, W, 3), uint8, as the network's input: (height, width, 3), float32 from -1 to 1.

    Raise ValueError for an array of another form, and as `resize_axis` does.
    """
    from pnasnet_torch.kernels import resize  # compiled when first called

    if image_hwc.ndim != 3 or image_hwc.shape[2] != 3 or image_hwc.dtype != np.uint8:
        raise ValueError(f"expected an image (H, W, 3) of uint8, found {image_hwc.dtype} {image_hwc.shape}")
    rows = resize_axis(image_hwc.shape[0], height, central_fraction)
    columns = resize_axis(image_hwc.shape[1], width, central_fraction)
    output_hwc = np.empty((height, width, 3), np.float32)
    # numba would compile the loops again for every other layout, such as a view backwards.
    resize(np.ascontiguousarray(image_hwc), rows, columns, SCALE, output_hwc)
    return output_hwc


def preprocess_batch(images: "Tensor", height: int, width: int, central_fraction: float = CENTRAL_FRACTION) -> "Tensor":
    """Return decoded images (N, 3, H, W) as the network's input (N, 3, height, width), from -1 to 1, on their device.

    uint8 gives float32, the same bits as `preprocess`. Floating point is taken as from 0 to 1, keeps its dtype, and
    gradients flow back to it. Raise ValueError for a tensor of another form, and as `resize_axis` does.
    """
    import torch

    if images.ndim != 4 or images.shape[1] != 3 or not (images.is_floating_point() or images.dtype == torch.uint8):
        raise ValueError(f"expected images (N, 3, H, W), uint8 or floating, found {images.dtype} {tuple(images.shape)}")
    values = images
    if not images.is_floating_point():
        values = images.to(torch.float32) * float(SCALE)
    # Along the rows first, then between them, as TensorFlow does: in the other order the last bits differ.
    values = _interpolate(values, 3, width, central_fraction)
    values = _interpolate(values, 2, height, central_fraction)
    return (values - 0.5) * 2


def _interpolate(values: "Tensor", dim: int, target: int, central_fraction: float) -> "Tensor":
    """Return images (N, 3, H, W) cropped and resized along `dim`, 2 or 3, to `target` pixels."""
    import torch

    axis = resize_axis(values.shape[dim], target, central_fraction)
    lower = torch.from_numpy(axis.lower).to(values.device)
    upper = torch.from_numpy(axis.upper).to(values.device)
    weight = torch.from_numpy(axis.weight).to(values)
    if dim == 2:
        # A weight for each row, the same in all of its columns.
        weight = weight.reshape(-1, 1)
    first = values.index_select(dim, lower)
    return first + (values.index_select(dim, upper) - first) * weight
