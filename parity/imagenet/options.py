"""What an evaluation runs on: the options, where they come from, and what is wrong with them.

pytest and `pnasnet-parity imagenet` share them. What is not on the command line comes from the environment, then from
tox.ini, then from the places where such data usually lies.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.files import reading
from parity.core.layers import EVALUATION_SIZES, Network, network_at
from parity.core.machine import MOST_THREADS, processors
from parity.core.pinning import choose_device
from parity.core.specification import GivenWeights
from parity.imagenet.sides import OFFICIAL, SIDES
from parity.imagenet.workers import Worker, environment_worker
from pnasnet_torch.genotype import VARIANTS

DEFAULT_IMAGENET = Path("data/val")
DEFAULT_CHECKPOINT = Path("data/model.ckpt")
# The data's settings: option, environment variable, key in tox.ini.
SETTINGS = {name: (f"PNASNET_PARITY_{name.upper()}", name) for name in ("imagenet", "devkit", "checkpoint")}
HOW_TO = """\
The evaluation needs the ImageNet (ILSVRC-2012) validation set and the released weights. ImageNet comes, after signing
up, from image-net.org; the weights are pnasnet-5_large_2017_12_13 and pnasnet-5_mobile_2017_12_13 of tensorflow/models
(research/slim). Lay them out in one of these ways and name the places:
  --imagenet PATH      class folders (PATH/n01440764/*.JPEG), or slim's or TFDS's TFRecord shards
                       (PATH/validation-00000-of-00128), or a flat folder or ILSVRC2012_img_val.tar with val.txt,
                       LOC_val_solution.csv or ILSVRC2012_devkit_t12(.tar.gz) beside it or under --devkit
  --checkpoint PATH    the archive as it was downloaded, or unpacked, as pnasnet-5_large_2017_12_13/model.ckpt
Or set imagenet and checkpoint in tox.ini's [pytest] section, or PNASNET_PARITY_IMAGENET and PNASNET_PARITY_CHECKPOINT,
or put them into data/val and data/model.ckpt.
Without either, `tox run -e imagenet` shows the evaluation on data that it makes."""
OPTIONS: dict[str, dict[str, Any]] = {
    "imagenet": {"metavar": "PATH", "help": "the validation set: class folders, flat folder, tar or TFRecord shards"},
    "devkit": {
        "metavar": "PATH",
        "help": "the development kit, or Kaggle's or Caffe's list of classes (default: beside the images)",
    },
    "sides": {
        "choices": tuple(SIDES),
        "default": "both",
        "help": "evaluate both models (default), or one alone; torch needs no TensorFlow",
    },
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
    checkpoint: GivenWeights
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
    worker: Worker


def add_options(add: Callable[..., object]) -> None:
    """Add each option of the evaluation by `add`, an argparse-like `add_argument`."""
    for name, keywords in OPTIONS.items():
        add(f"--{name}", **keywords)


def parse_settings(get: Callable[[str], Any], ini: Callable[[str], str | None] = lambda _name: None) -> Settings:
    """Return the checked settings; `get` gives an option's value, `ini` that of a key in tox.ini. Raises InputError."""
    worker = environment_worker()
    # TensorFlow, which reads the checkpoint, hides GPUs from torch unless torch has seen them before.
    device = choose_device(worker.local_rank)
    imagenet = _data("imagenet", get, ini) or DEFAULT_IMAGENET
    with reading(f"the validation set {imagenet}"):
        if not imagenet.exists():
            raise InputError(f"there is no validation set at {imagenet}\n{HOW_TO}")
    for name in ("limit", "batch_size", "threads"):
        if get(name) is not None and get(name) < 1:
            raise InputError(f"--{name.replace('_', '-')} {get(name)}: expected at least 1")
    if get("threads") is not None and get("threads") > MOST_THREADS:
        raise InputError(f"--threads {get('threads')}: expected at most {MOST_THREADS:,}")
    expect = expectation(get("expect"))
    sides = SIDES[get("sides")]
    path = _data("checkpoint", get, ini) or DEFAULT_CHECKPOINT
    checkpoint = _checkpoint(path, get("weights"), with_tensorflow=OFFICIAL in sides)
    networks = _networks(checkpoint, get("variant"), get("image_size"))
    # Here only to refuse what is ambiguous, before hours of evaluation.
    published(expect, list(map(str, networks)))
    return Settings(
        imagenet=imagenet,
        devkit=_data("devkit", get, ini),
        checkpoint=checkpoint,
        networks=networks,
        sides=sides,
        limit=get("limit"),
        partial=get("partial"),
        expect=expect,
        batch_size=get("batch_size"),
        output=Path(get("output")),
        threads=get("threads") or processors(),
        reference=get("reference"),
        device=device,
        worker=worker,
    )


def _data(name: str, get: Callable[[str], Any], ini: Callable[[str], str | None]) -> Path | None:
    """Return where data lies by the option, the environment or tox.ini, the first that says it; None if none does."""
    variable, key = SETTINGS[name]
    value = get(name) or os.environ.get(variable) or ini(key)
    return Path(value) if value else None


def _checkpoint(path: Path, which: str | None, with_tensorflow: bool) -> GivenWeights:
    """Return the weights at `path`. Raises InputError where there are none that can be used."""
    from parity.core.weights import read_given

    if not path.parent.is_dir() or not any(file.name.startswith(path.name) for file in path.parent.iterdir()):
        raise InputError(f"there are no weights at {path}\n{HOW_TO}")
    return read_given(path, which, with_tensorflow)


def _networks(checkpoint: GivenWeights, variants: list[str] | None, sizes: list[str] | None) -> tuple[Network, ...]:
    """Return the networks that the weights are for, at each size; which variant that is they say themselves.

    Raises InputError where `variants` name another one.
    """
    variant = checkpoint.variant
    if variants and set(variants) != {variant}:
        raise InputError(f"--variant {', '.join(variants)}: {checkpoint.path} holds the weights of PNASNet-5 {variant}")
    networks = [_network(variant, size) for size in sizes or EVALUATION_SIZES[variant]]
    # Each once: 224 and 224x224 are one network.
    return tuple(dict.fromkeys(networks))


def _network(variant: str, size: str) -> Network:
    """Return the variant at a size such as 331. Raises InputError for a size that cannot be used."""
    try:
        return network_at(variant, size)
    except ValueError as error:
        raise InputError(f"--image-size {error}") from error


def expectation(text: str | None) -> Expectation | None:
    """Return the accuracies that `--expect TOP1,TOP5` names, None without it. Raises InputError for anything else."""
    if text is None:
        return None
    parts = text.split(",")
    try:
        top_1, top_5 = (float(part) for part in parts)
    except ValueError:
        # Neither two nor numbers: refused below, as no comparison holds for what is not a number.
        top_1 = top_5 = math.nan
    if not 0 <= top_1 <= top_5 <= 1:
        raise InputError(f"--expect {text}: expected two accuracies from 0 to 1, top-1 and top-5, as 0.829,0.962")
    digits = [len(part.partition(".")[2].strip()) for part in parts]
    # What was rounded for publishing is off by up to half a unit of its last digit.
    return Expectation(text, (top_1, top_5), (0.5 * 10 ** -digits[0], 0.5 * 10 ** -digits[1]))


def published(expect: Expectation | None, networks: Sequence[str]) -> dict[str, Expectation | None]:
    """Return what each network is compared with: of several sizes, the published figures are for the variant's own.

    Raises InputError where it is not clear which of them that is.
    """
    own_sizes = {f"{name}-{variant.image_size}" for name, variant in VARIANTS.items()}
    compared = list(networks)
    if len(networks) > 1:
        compared = [network for network in networks if network in own_sizes]
    if expect and len(compared) != 1:
        raise InputError(f"--expect {expect.text}: there are {', '.join(networks)}; evaluate one size alone")
    return {network: expect if network in compared else None for network in networks}
