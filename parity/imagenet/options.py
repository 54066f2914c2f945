"""What an evaluation runs on: the options, where they come from, and what is wrong with them.

pytest and `pnasnet-parity imagenet` share them. What is not on the command line comes from the environment, then from
tox.ini, then from the places where such data usually lies.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.layers import EVALUATION_SIZES, Network, network_at
from parity.core.pinning import choose_device
from pnasnet_torch.genotype import VARIANTS

DEFAULT_IMAGENET, DEFAULT_CHECKPOINT = Path("data/val"), Path("data/model.ckpt")
SIDES = {"both": ("official", "port"), "tf": ("official",), "torch": ("port",)}
# The data's settings: option, environment variable, key in tox.ini.
SETTINGS = {name: (f"PNASNET_PARITY_{name.upper()}", name) for name in ("imagenet", "devkit", "checkpoint")}
HOW_TO = """\
The evaluation needs the ImageNet (ILSVRC-2012) validation set and the released weights. ImageNet comes, after signing
up, from image-net.org; the weights are pnasnet-5_large_2017_12_13 and pnasnet-5_mobile_2017_12_13 of tensorflow/models
(research/slim). Lay them out in one of these ways and name the places:
  --imagenet PATH      class folders (PATH/n01440764/*.JPEG), or slim's TFRecord shards
                       (PATH/validation-00000-of-00128), or a flat folder or ILSVRC2012_img_val.tar with
                       ILSVRC2012_devkit_t12(.tar.gz) beside it or under --devkit
  --checkpoint PREFIX  the files' common prefix, as pnasnet-5_large_2017_12_13/model.ckpt
Or set imagenet and checkpoint in tox.ini's [pytest] section, or PNASNET_PARITY_IMAGENET and PNASNET_PARITY_CHECKPOINT,
or put them into data/val and data/model.ckpt.
Without either, `tox run -e imagenet` shows the evaluation on data that it makes."""
OPTIONS: dict[str, dict[str, Any]] = {
    "imagenet": {"metavar": "PATH", "help": "the validation set: class folders, flat folder, tar or TFRecord shards"},
    "devkit": {"metavar": "PATH", "help": "the development kit, packed or not (default: looked for beside the images)"},
    "sides": {"choices": tuple(SIDES), "default": "both", "help": "evaluate both models (default), or one alone"},
    "limit": {"type": int, "metavar": "N", "help": "evaluate the first N images alone, by file name"},
    "partial": {"action": "store_true", "help": "the set is not the full one on purpose"},
    "expect": {
        "metavar": "TOP1,TOP5",
        "help": "published accuracies to compare with, as 0.829,0.962, to the digits given; of several sizes "
        "they are for the network's own",
    },
    "batch-size": {"type": int, "default": 8, "metavar": "N", "help": "images in one forward (default: 8)"},
    "output": {
        "default": "imagenet-results",
        "metavar": "DIR",
        "help": "folder of the results, which a later run continues (default: imagenet-results)",
    },
}


@dataclass(frozen=True)
class Expectation:
    """Published accuracies, top-1 and top-5, each with half a unit of its last digit."""

    text: str
    accuracies: tuple[float, float]
    tolerances: tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """What is evaluated, checked as far as possible without reading the data."""

    imagenet: Path
    devkit: Path | None
    checkpoint: Path
    networks: tuple[Network, ...]
    sides: tuple[str, ...]
    limit: int | None
    partial: bool
    expect: Expectation | None
    batch_size: int
    output: Path
    threads: int
    reference: str
    device: str


def add_options(add: Callable[..., object]) -> None:
    """Calls `add`, an argparse-like `add_argument`, for each option."""
    for name, keywords in OPTIONS.items():
        add(f"--{name}", **keywords)


def parse_settings(get: Callable[[str], Any], ini: Callable[[str], str | None] = lambda _name: None) -> Settings:
    """The checked settings; `get` gives an option's value, `ini` that of a key in tox.ini. Raises InputError."""
    # TensorFlow, which reads the checkpoint, hides GPUs from torch unless torch has seen them before.
    device = choose_device(environment_worker()[2])
    imagenet, devkit, checkpoint = (_data(name, get(name), ini) for name in SETTINGS)
    imagenet, checkpoint = imagenet or DEFAULT_IMAGENET, checkpoint or DEFAULT_CHECKPOINT
    if not imagenet.exists():
        raise InputError(f"there is no validation set at {imagenet}\n{HOW_TO}")
    for name in ("limit", "batch_size", "threads"):
        if get(name) is not None and get(name) < 1:
            raise InputError(f"--{name.replace('_', '-')} {get(name)}: expected at least 1")
    expect = expectation(get("expect"))
    networks = _networks(checkpoint, get("variant"), get("image_size"))
    published(expect, [str(network) for network in networks])
    return Settings(
        *(imagenet, devkit, checkpoint, networks, SIDES[get("sides")], get("limit"), get("partial"), expect),
        *(get("batch_size"), Path(get("output")), get("threads") or os.cpu_count() or 1, get("reference"), device),
    )


def _data(name: str, given: str | None, ini: Callable[[str], str | None]) -> Path | None:
    variable, key = SETTINGS[name]
    value = given or os.environ.get(variable) or ini(key)
    return Path(value) if value else None


def _networks(prefix: Path, variants: list[str] | None, sizes: list[str] | None) -> tuple[Network, ...]:
    """The networks that the checkpoint is for, at each size; which variant that is the checkpoint says itself."""
    from pnasnet_torch.errors import WeightsError
    from pnasnet_torch.weights import variant_of
    from tf_reference import checkpoint

    try:
        checkpoint.locate(prefix)
    except InputError as error:
        raise InputError(f"{error}\n{HOW_TO}") from error
    try:
        found = variant_of(checkpoint.shapes(prefix))
    except WeightsError as error:
        raise InputError(f"{prefix}: {error}") from error
    if variants and set(variants) != {found}:
        raise InputError(f"--variant {', '.join(variants)}: {prefix} holds the weights of PNASNet-5 {found}")
    return tuple(dict.fromkeys(_network(found, size) for size in sizes or EVALUATION_SIZES[found]))


def _network(variant: str, size: str) -> Network:
    try:
        return network_at(variant, size)
    except ValueError as error:
        raise InputError(f"--image-size {error}") from error


def expectation(text: str | None) -> Expectation | None:
    if text is None:
        return None
    try:
        top_1, top_5 = (float(part) for part in text.split(","))
    except ValueError:
        top_1 = top_5 = math.nan
    if not 0 <= top_1 <= top_5 <= 1:
        raise InputError(f"--expect {text}: expected two accuracies from 0 to 1, top-1 and top-5, as 0.829,0.962")
    digits = [len(part.partition(".")[2].strip()) for part in text.split(",")]
    return Expectation(text, (top_1, top_5), (0.5 * 10 ** -digits[0], 0.5 * 10 ** -digits[1]))


def published(expect: Expectation | None, networks: Sequence[str]) -> dict[str, Expectation | None]:
    """What each network is compared with: of several sizes, the published figures are for the variant's own.

    Raises InputError where it is not clear which of them that is.
    """
    own = {f"{name}-{variant.image_size}" for name, variant in VARIANTS.items()}
    meant = [network for network in networks if len(networks) == 1 or network in own]
    if expect and len(meant) != 1:
        raise InputError(f"--expect {expect.text}: there are {', '.join(networks)}; evaluate one size alone")
    return {network: expect if network in meant else None for network in networks}


def environment_worker(environment: Mapping[str, str] = os.environ) -> tuple[int, int, int, int]:
    """Rank, number of workers, and the same on this machine, as torchrun sets them; alone without it."""
    names = (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1))
    rank, world, local_rank, local_world = (int(environment.get(name, default)) for name, default in names)
    return rank, world, local_rank, local_world
