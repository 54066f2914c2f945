"""The config.json beside a file of weights: what a hub or timm looks for, and what the port itself needs to know."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pnasnet_torch.errors import WeightsError, reading
from pnasnet_torch.genotype import VARIANTS, Config, map_side, plan_cells
from pnasnet_torch.preprocess import CENTRAL_FRACTION
from pnasnet_torch.targets import CLASSES, FIRST, stored_name
from pnasnet_torch.weights import outline

FILE = "config.json"
# The key under which the port's own entries stand, out of the way of those that timm reads.
OWN = "pnasnet_torch"
PREPROCESSING = (
    "decode as TensorFlow does, cut the central 87.5 % of each side, resize bilinearly on TensorFlow's legacy grid "
    "(the aspect ratio is not kept), scale from 0..255 to -1..1, RGB: pnasnet_torch.preprocess"
)
# How many classes a network has whose class 0 is the background, before the 1000 of ImageNet.
BACKGROUND = 1001


@dataclass(frozen=True)
class Card:
    """What config.json says of the file `weights` beside it; sizes are (height, width) in pixels.

    `label_names` are those of classes that are not ImageNet's.
    """

    weights: str
    sha256: str
    image_size: tuple[int, int]
    label_names: tuple[str, ...] = ()


def sha256(*paths: Path) -> str:
    """Return the SHA-256, in hexadecimal digits, of the files' content, one behind the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            # In pieces: Large's weights are 345 MB.
            while chunk := file.read(2**22):
                digest.update(chunk)
    return digest.hexdigest()


def read_card(folder: Path) -> Card | None:
    """Return what config.json in `folder` says; None if there is none that has entries of the port's.

    Raise WeightsError for one that cannot be read, or is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with reading(str(path)):
        text = path.read_bytes()
    # Any other program's file of that name says nothing here, whatever is in it.
    if OWN.encode() not in text:
        return None
    try:
        content = json.loads(text)
        own = content.get(OWN)
        if own is None:
            return None
        height, width = map(int, own["image_size"])
        names = tuple(map(str, content.get("label_names", ())))
        card = Card(str(own["weights"]), str(own["sha256"]), (height, width), names)
        # The file may come from anywhere: a name that is a path could lead out of the folder.
        if Path(card.weights).name != card.weights:
            raise ValueError(f"weights are {card.weights!r}: expected a file of this folder")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged: {error}. Remove it, or convert the weights again") from error
    return card


def make_card(card: Card, variant: str, config: Config, names: str, source: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of config.json for weights under `names`, made from `source`.

    `source` tells its name, format, names and SHA-256. At the top of the content stands what timm reads, which builds
    the network where the names are its own.
    """
    content: dict[str, Any] = {"architecture": f"pnasnet5{variant}", "num_classes": config.num_classes}
    if card.label_names:
        content["label_names"] = list(card.label_names)
    content["num_features"] = plan_cells(config)[-1][0].out.channels
    content["pretrained_cfg"] = _pretrained_cfg(card, config, names)
    content[OWN] = {
        "variant": variant,
        "image_size": list(card.image_size),
        "class_offset": class_offset(config.num_classes),
        "preprocessing": PREPROCESSING,
        "names": names,
        "weights": card.weights,
        "sha256": card.sha256,
        "source": dict(source),
    }
    return content


def _pretrained_cfg(card: Card, config: Config, names: str) -> dict[str, Any]:
    """Return timm's entries on the network's input, and on the modules at its beginning and its end."""
    halvings = plan_cells(config)[-1][0].out.halvings
    return {
        "num_classes": config.num_classes,
        "input_size": [3, *card.image_size],
        "pool_size": [map_side(side, halvings) for side in card.image_size],
        # From 0..1 to -1..1, for each of red, green and blue.
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bilinear",
        "crop_pct": CENTRAL_FRACTION,
        # timm's word for an aspect ratio that is not kept.
        "crop_mode": "squash",
        "first_conv": _module(config, names, FIRST),
        "classifier": _module(config, names, CLASSES),
    }


def _module(config: Config, names: str, parameter: str) -> str:
    """Return the module of a parameter under `names`."""
    name = stored_name(outline(config), names, parameter)
    # TensorFlow's names have a slash before the last part, all others a dot.
    return name[: max(name.rfind("."), name.rfind("/"))]


def class_offset(classes: int) -> int:
    """Return the number of the first class: 1 where class 0 is the background, else 0."""
    return int(classes == BACKGROUND)


def default_size(variant: str) -> tuple[int, int]:
    """Return the size (height, width) in pixels of the images that the variant was trained on."""
    side = VARIANTS[variant].image_size
    return (side, side)
