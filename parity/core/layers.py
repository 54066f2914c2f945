"""The vocabulary: networks, layers and blocks, and how each is spelled."""

import re
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
    """A variant at an image size (pixels), and the label of the reference that judges it where a run has several."""

    variant: str
    height: int
    width: int
    reference: str = ""

    @property
    def size(self) -> str:
        """The image size as it is spelled: `331`, or `300x480` (height and width) where it is not square."""
        if self.height == self.width:
            return str(self.height)
        return f"{self.height}x{self.width}"

    def __str__(self) -> str:
        name = f"{self.variant}-{self.size}"
        return f"{name}-{self.reference}" if self.reference else name


def parse_size(text: str) -> tuple[int, int]:
    """Return the size that is spelled `331` or `300x480` as (height, width). Raises ValueError for anything else."""
    # ASCII digits alone: `int` takes those of other scripts, signs and blanks too.
    sides = re.fullmatch("([0-9]+)(?:x([0-9]+))?", text)
    if sides:
        height = int(sides[1])
        width = int(sides[2] or sides[1])
        if height > 0 and width > 0:
            return height, width
    raise ValueError(f"{text!r} is not an image size: expected a side such as 331, or HEIGHTxWIDTH such as 300x480")


def network_at(variant: str, size: str) -> Network:
    """Return the variant at a size such as `331`.

    Raises ValueError, whose message begins with the size, if there is no such network.
    """
    from pnasnet_torch.genotype import VARIANTS, minimum_size

    height, width = parse_size(size)
    # The networks take a lower image than that, but compute some of their layers from nothing but padding then.
    least = max(minimum_size(VARIANTS[variant].config))
    if min(height, width) < least:
        raise ValueError(f"{size}: {variant} needs images of at least {least}x{least} pixels")
    return Network(variant, height, width)


def block(layer: str) -> str:
    """Return the part of the network that a layer (or TensorFlow variable) lies in: `cell_5` for `cell_5.1x1`."""
    return layer.replace("/", ".").split(".")[0]


def layer_of(variable: str) -> str:
    """Return the layer that uses a TensorFlow variable: `cell_0.1x1` for `cell_0/1x1/weights`."""
    *scopes, last = variable.split("/")
    # One that a candidate has, and calls in its own way.
    if not scopes:
        return variable
    # A separable convolution is one scope in TensorFlow and two layers, which only the variables' names tell apart.
    kind = last.removesuffix("_weights")
    if kind in ("depthwise", "pointwise"):
        scopes.append(kind)
    return ".".join(scopes)


def layer_modules(model: "nn.Module") -> "dict[str, nn.Module]":
    """Return the port's layers by name: every module without children that changes values in evaluation."""
    from torch import nn

    from pnasnet_torch.cell import Scope
    from pnasnet_torch.operations import RandomOperation

    # Flatten gives the same values in another shape, a random operation does nothing in evaluation, and a scope without
    # children is an empty one.
    no_layers = (nn.Flatten, RandomOperation, Scope)
    modules = {}
    for name, module in model.named_modules():
        is_childless = not any(module.children())
        if is_childless and not isinstance(module, no_layers):
            modules[name] = module
    return modules


@cache
def port_layers(variant: str) -> tuple[str, ...]:
    """Return the names of the port's layers, read off a model without weights."""
    import torch

    from pnasnet_torch import PNASNet
    from pnasnet_torch import variant as find_variant

    # On the meta device no weight is made: this takes well under a second.
    with torch.device("meta"):
        return tuple(layer_modules(PNASNet(find_variant(variant).config)))


class Case(NamedTuple):
    """What one test item judges by `gate`: a layer or a block of a network, or an image for it."""

    gate: str
    network: Network
    name: str
