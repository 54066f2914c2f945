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
    """A JPEG or PNG file as the network's input: (height, width, 3), float32 from -1 to 1, RGB.

    Raises ImageError, naming the file, if it cannot be read or is no sound image.
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
    """The axis from `size` source pixels, cropped to the central fraction, to `target` pixels.

    Follows `tf.image.central_crop` (the margin is cut in float64) and TensorFlow's legacy scaler (float32).
    """
    if not 0 < central_fraction <= 1:
        raise ValueError(f"central_fraction {central_fraction}: expected more than 0, at most 1")
    if target < 1:
        raise ValueError(f"a target of {target} pixels: expected at least 1")
    start = int((size - size * central_fraction) / 2)
    cropped = size - 2 * start
    if cropped < 1:
        raise ValueError(f"central_fraction {central_fraction} of {size} pixels leaves none")
    source = np.arange(target, dtype=np.float32) * (np.float32(cropped) / np.float32(target))
    lower = np.floor(source)
    upper = np.minimum(np.ceil(source), cropped - 1)
    return Axis(lower.astype(np.int64) + start, upper.astype(np.int64) + start, source - lower)


def preprocess(
    image_hwc: np.ndarray, height: int, width: int, central_fraction: float = CENTRAL_FRACTION
) -> np.ndarray:
    """A decoded image (H, W, 3), uint8, as the network's input: (height, width, 3), float32 from -1 to 1."""
    from pnasnet_torch.kernels import resize  # compiled when first called

    if image_hwc.ndim != 3 or image_hwc.shape[2] != 3 or image_hwc.dtype != np.uint8:
        raise ValueError(f"expected an image (H, W, 3) of uint8, found {image_hwc.dtype} {image_hwc.shape}")
    rows = resize_axis(image_hwc.shape[0], height, central_fraction)
    columns = resize_axis(image_hwc.shape[1], width, central_fraction)
    output = np.empty((height, width, 3), np.float32)
    resize(np.ascontiguousarray(image_hwc), rows, columns, SCALE, output)
    return output


def preprocess_batch(images: "Tensor", height: int, width: int, central_fraction: float = CENTRAL_FRACTION) -> "Tensor":
    """Decoded images (N, 3, H, W) as the network's input (N, 3, height, width), from -1 to 1, on their device.

    uint8 gives float32, the same bits as `preprocess`. Floating point is taken as from 0 to 1, keeps its dtype, and
    gradients flow back to it.
    """
    import torch

    if images.ndim != 4 or images.shape[1] != 3 or not (images.is_floating_point() or images.dtype == torch.uint8):
        raise ValueError(f"expected images (N, 3, H, W), uint8 or floating, found {images.dtype} {tuple(images.shape)}")

    def lerp(dim: int, target: int, values: "Tensor") -> "Tensor":
        axis = resize_axis(values.shape[dim], target, central_fraction)
        lower, upper = (torch.from_numpy(index).to(images.device) for index in axis[:2])
        weight = torch.from_numpy(axis.weight).to(values).reshape(-1, *[1] * (3 - dim))
        first = values.index_select(dim, lower)
        return first + (values.index_select(dim, upper) - first) * weight

    values = images if images.is_floating_point() else images.to(torch.float32) * float(SCALE)
    return (lerp(2, height, lerp(3, width, values)) - 0.5) * 2
