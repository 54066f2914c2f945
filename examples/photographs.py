"""What the fine-tuning example learns from: photographs by class, a part of which is held out, and their windows."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import preprocess

PHOTOGRAPHS = Path(__file__).parents[1] / "parity" / "photographs"
SUFFIXES = (".jpg", ".jpeg", ".png")
# Shares of a photograph's width, and how many windows of each are held out.
TRAINING_PART, HELD_OUT_PART, WINDOWS = 0.6, 0.35, 30
# As slim cuts training images, but no small windows: these are cut from parts of photographs.
AREA, ASPECT = (0.2, 1.0), (3 / 4, 4 / 3)

Example = tuple[np.ndarray, int]  # an image (H, W, 3), uint8, RGB, and the number of its class


class InputError(ValueError):
    """Arguments, or files that they name, cannot be used."""


class Data(NamedTuple):
    """The classes' names, what is trained on, and what is not."""

    classes: list[str]
    training: list[Example]
    held_out: list[Example]


def parts(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The left of a photograph, to train on, and the right, which is held out."""
    width = pixels.shape[1]
    return pixels[:, : int(TRAINING_PART * width)], pixels[:, width - int(HELD_OUT_PART * width) :]


def own_photographs(seed: int) -> Data:
    """Each a class; the windows that are held out depend on the seed alone."""
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    data, generator = Data([path.stem for path in paths], [], []), torch.Generator().manual_seed(seed)
    for label, path in enumerate(paths):
        left, right = parts(read(path))
        data.training.append((left, label))
        data.held_out.extend((window(right, generator), label) for _ in range(WINDOWS))
    return data


def class_folders(folder: Path) -> Data:
    """What the folders in `folder` hold. Raises InputError unless there are two, each with two images."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    data = Data(sorted(path.name for path in folder.iterdir() if path.is_dir()), [], [])
    if len(data.classes) < 2:
        raise InputError(f"{folder} holds {len(data.classes)} folders: expected at least two, one for each class")
    for label, name in enumerate(data.classes):
        paths = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in SUFFIXES)
        if len(paths) < 2:
            raise InputError(f"{folder / name} holds {len(paths)} images: expected at least two, one to be held out")
        examples = [(read(path), label) for path in paths]
        count = math.ceil(len(examples) / 4)
        data.training.extend(examples[:-count])
        data.held_out.extend(examples[-count:])
    return data


def read(path: Path) -> np.ndarray:
    """Raises InputError, naming the file, if it is no sound image."""
    try:
        return decode(path.read_bytes())
    except ImageError as error:
        raise InputError(f"{path} {error}") from error


def window(pixels: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """A random part of an image, of random area and aspect ratio, mirrored or not."""
    area, aspect, top, left, mirror = torch.rand(5, generator=generator).tolist()
    side = math.sqrt(np.interp(area, (0, 1), AREA) * pixels.shape[0] * pixels.shape[1])
    stretch = math.sqrt(np.interp(aspect, (0, 1), ASPECT))
    height, width = min(round(side / stretch), pixels.shape[0]), min(round(side * stretch), pixels.shape[1])
    row, column = int(top * (pixels.shape[0] - height + 1)), int(left * (pixels.shape[1] - width + 1))
    cut = pixels[row : row + height, column : column + width]
    return cut[:, ::-1] if mirror < 0.5 else cut


def batch(images: Sequence[np.ndarray], size: int, central_fraction: float) -> Tensor:
    """The network's input (N, 3, size, size), in PyTorch's usual memory format.

    In channels_last the gradient of Mobile's convolutions with stride 2 crashes PyTorch 2.13 on a CPU.
    """
    pixels = np.stack([preprocess(image, size, size, central_fraction) for image in images])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
