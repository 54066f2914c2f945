"""The config.json beside a file of weights: what a hub or timm looks for, and what the port itself needs to know."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import VARIANTS, Config, map_side, plan_cells
from pnasnet_torch.preprocess import CENTRAL_FRACTION
from pnasnet_torch.weights import CLASSES, FIRST, outline, stored_name

FILE = "config.json"
# Under which the port's own entries stand.
OWN = "pnasnet_torch"
PREPROCESSING = (
    "decode as TensorFlow does, cut the central 87.5 % of each side, resize bilinearly on TensorFlow's legacy grid "
    "(the aspect ratio is not kept), scale from 0..255 to -1..1, RGB: pnasnet_torch.preprocess"
)
BACKGROUND = 1001


@dataclass(frozen=True)
class Card:
    """What config.json says of the file `weights` beside it; sizes are (height, width) in pixels. `label_names` are
    those of classes that are not ImageNet's."""

    weights: str
    sha256: str
    image_size: tuple[int, int]
    label_names: tuple[str, ...] = ()


def sha256(*paths: Path) -> str:
    """Of the files' content, one behind the other."""
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while chunk := file.read(2**22):
                found.update(chunk)
    return found.hexdigest()


def read_card(folder: Path) -> Card | None:
    """What config.json in `folder` says, if there is one that has entries of the port's. Raises WeightsError for one
    that is damaged."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        own = content.get(OWN)
        if own is None:
            return None
        height, width = map(int, own["image_size"])
        names = tuple(map(str, content.get("label_names", ())))
        card = Card(str(own["weights"]), str(own["sha256"]), (height, width), names)
        if Path(card.weights).name != card.weights:
            raise ValueError(f"weights are {card.weights!r}: expected a file of this folder")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged: {error}. Remove it, or convert the weights again") from error
    return card


def make_card(card: Card, variant: str, config: Config, names: str, source: Mapping[str, str]) -> dict[str, Any]:
    """The content of config.json for weights under `names`, made from `source` (its name, format, names and SHA-256).

    At the top stands what timm reads; it builds the network where the names are its own.
    """
    first, classifier = (_module(config, names, parameter) for parameter in (FIRST, CLASSES))
    features = plan_cells(config)[-1][0].out
    labels = {"label_names": [*card.label_names]} if card.label_names else {}
    return {
        "architecture": f"pnasnet5{variant}",
        "num_classes": config.num_classes,
        **labels,
        "num_features": features.channels,
        "pretrained_cfg": {
            "num_classes": config.num_classes,
            "input_size": [3, *card.image_size],
            "pool_size": [map_side(side, features.halvings) for side in card.image_size],
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "interpolation": "bilinear",
            "crop_pct": CENTRAL_FRACTION,
            "crop_mode": "squash",
            "first_conv": first,
            "classifier": classifier,
        },
        OWN: {
            "variant": variant,
            "image_size": list(card.image_size),
            "class_offset": class_offset(config.num_classes),
            "preprocessing": PREPROCESSING,
            "names": names,
            "weights": card.weights,
            "sha256": card.sha256,
            "source": dict(source),
        },
    }


def _module(config: Config, names: str, parameter: str) -> str:
    """The module of a parameter under `names`."""
    name = stored_name(outline(config), names, parameter)
    return name[: max(name.rfind("."), name.rfind("/"))]


def class_offset(classes: int) -> int:
    """The number of the first class: 1 where class 0 is the background."""
    return int(classes == BACKGROUND)


def default_size(variant: str) -> tuple[int, int]:
    """The size (height, width) of the images that the variant was trained on."""
    return (VARIANTS[variant].image_size,) * 2
