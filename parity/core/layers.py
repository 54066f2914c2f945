"""The vocabulary: networks, layers and blocks, and how each is spelled."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import nn

# Image sizes (pixels) of the evaluation on ImageNet unless others are asked for: where known ports match, and do not.
EVALUATION_SIZES = {"large": ("331", "323"), "mobile": ("224",)}
# Small and not square, as a port that takes rows for columns is right on a square. Each map that is halved has an even
# number of rows (48, 24, 12, 6) and an odd one of columns (65, 33, 17, 9), so that they are padded differently.
NOT_SQUARE = "97x131"
# Those at which layers are judged.
DEFAULT_SIZES = {variant: (*sizes, NOT_SQUARE) for variant, sizes in EVALUATION_SIZES.items()}
# The name of all blocks together, where a test is about the network as a whole.
WHOLE = "whole"


@dataclass(frozen=True)
class Network:
    """A variant at an image size (pixels); where a run has several references, as judged by that one (its label)."""

    variant: str
    height: int
    width: int
    reference: str = ""

    @property
    def size(self) -> str:
        return str(self.height) if self.height == self.width else f"{self.height}x{self.width}"

    def __str__(self) -> str:
        return "-".join(filter(None, (self.variant, self.size, self.reference)))


def parse_size(text: str) -> tuple[int, int]:
    """`331` or `300x480` as (height, width). Raises ValueError for anything else."""
    parts = text.split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"{text!r} is not an image size: expected a side such as 331, or HEIGHTxWIDTH such as 300x480")
    return int(parts[0]), int(parts[-1])


def network_at(variant: str, size: str) -> Network:
    """The variant at a size such as `331`. Raises ValueError, beginning with the size, if there is no such network."""
    from pnasnet_torch.genotype import VARIANTS, minimum_size

    height, width = parse_size(size)
    # The networks take a lower image than that, but compute some of their layers from nothing but padding then.
    least = max(minimum_size(VARIANTS[variant].config))
    if min(height, width) < least:
        raise ValueError(f"{size}: {variant} needs images of at least {least}x{least} pixels")
    return Network(variant, height, width)


def block(layer: str) -> str:
    """The part of the network that a layer (or a TensorFlow variable) lies in: `cell_5` for `cell_5.1x1`."""
    return layer.replace("/", ".").split(".")[0]


def layer_of(variable: str) -> str:
    """The layer that uses a TensorFlow variable: `cell_0.1x1` for `cell_0/1x1/weights`."""
    *scopes, last = variable.split("/")
    kind = last.removesuffix("_weights")
    return ".".join([*scopes, kind] if kind in ("depthwise", "pointwise") else scopes)


def layer_modules(model: "nn.Module") -> "dict[str, nn.Module]":
    """The port's layers by name: every module without children that changes values in evaluation."""
    from torch import nn

    from pnasnet_torch.cell import Scope
    from pnasnet_torch.operations import RandomOperation

    no_layers = (nn.Flatten, RandomOperation, Scope)
    modules = model.named_modules()
    return {
        name: module for name, module in modules if not any(module.children()) and not isinstance(module, no_layers)
    }


@cache
def port_layers(variant: str) -> tuple[str, ...]:
    """The names of the port's layers, read off a model without weights."""
    import torch

    from pnasnet_torch import PNASNet
    from pnasnet_torch import variant as find_variant

    with torch.device("meta"):
        return tuple(layer_modules(PNASNet(find_variant(variant).config)))


class Case(NamedTuple):
    """What one test item judges by `gate`: a layer or a block of a network, or an image for it."""

    gate: str
    network: Network
    name: str
