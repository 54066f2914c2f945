"""A network with its weights and its preprocessing, in one line."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from pnasnet_torch.classes import class_names
from pnasnet_torch.model import PNASNet
from pnasnet_torch.preprocess import load_image
from pnasnet_torch.source import read_weights
from pnasnet_torch.weights import empty_network, fill

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preprocess:
    """The way from image files to a network's input; `image_size` is (height, width) in pixels, and may be any other.

    `dtype` is that of the input.
    """

    image_size: tuple[int, int]
    dtype: torch.dtype = torch.float32

    def __call__(self, images: str | Path | Sequence[str | Path]) -> torch.Tensor:
        """Return one file or several as (N, 3, height, width), RGB from -1 to 1, the official evaluation's bits.

        Raise ImageError, naming the file, for one that is no sound JPEG or PNG.
        """
        paths = [images] if isinstance(images, (str, Path)) else images
        pixels_hwc = [torch.from_numpy(load_image(path, *self.image_size)) for path in paths]
        return torch.stack(pixels_hwc).permute(0, 3, 1, 2).to(self.dtype)


class Pretrained(NamedTuple):
    """A network in evaluation mode, and what turns image files into its input."""

    model: PNASNet
    preprocess: Preprocess


def load(
    path: str | Path, dtype: torch.dtype = torch.float32, which: str | None = None
) -> tuple[Pretrained, Sequence[str]]:
    """Return what `from_pretrained` gives for `path`, and the names of the network's classes.

    The names are those that config.json beside the weights has, or ImageNet's, or numbers.
    """
    weights = read_weights(path, which=which)
    for note in weights.notes:
        log.info(note)
    model = empty_network(weights.config, dtype)
    fill(model, weights.state)
    names = weights.label_names or class_names(weights.config.num_classes)
    return Pretrained(model, Preprocess(weights.image_size, dtype)), names


def from_pretrained(path: str | Path, dtype: torch.dtype = torch.float32, which: str | None = None) -> Pretrained:
    """Return the network whose weights lie at `path`: variant, classes and auxiliary head follow from them.

    `path` is a TensorFlow checkpoint (the prefix of a V2 one, or a V1 file), a file of HDF5, safetensors or PyTorch,
    whatever it is called and under any known names, an archive, or a folder with one of these. `which` chooses where a
    file has several weights: `raw` (the default), `average`, or the key that leads to them. Weights are converted to
    `dtype`. Raise WeightsError if they are not sound, or do not fit exactly. Never unpickle code.
    """
    return load(path, dtype, which)[0]
