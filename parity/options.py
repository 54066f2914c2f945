"""pytest's options for parity, and what they come to: checked, or a usage error that says what to give instead."""

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from parity.imagenet.options import OPTIONS as EVALUATION_OPTIONS
from parity.imagenet.options import SETTINGS, Settings
from parity.imagenet.options import add_options as add_evaluation_options
from parity.layers import DEFAULT_SIZES, Network, network_at
from pnasnet_torch.genotype import VARIANTS

PHOTOGRAPHS = Path(__file__).with_name("photographs")
DEFAULT_IMAGES = ("chelsea.jpg", "coffee.jpg")
DEFAULTS = {"checkpoint": None, "reference": "official", "seed": 0, "threads": os.cpu_count() or 1}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Options:
    """What a run compares: networks, weights, images, the reference, and on how many threads.

    Without `images` the networks take the photographs that come with parity in turn, one each.
    """

    networks: tuple[Network, ...]
    checkpoint: Path | None
    images: tuple[Path, ...]
    reference: str
    seed: int
    threads: int
    arguments: tuple[str, ...]
    report: Path | None = None

    def images_of(self, network: Network) -> tuple[Path, ...]:
        """The images that `network` is run on."""
        turn = self.networks.index(network) % len(DEFAULT_IMAGES)
        return self.images or (PHOTOGRAPHS / DEFAULT_IMAGES[turn],)

    @cached_property
    def preprocessed(self) -> dict[str, Path]:
        """The images whose preprocessing is judged, by name: those given, or all photographs that come with parity."""
        paths = self.images or tuple(sorted(PHOTOGRAPHS.glob("*.jpg")))
        names = Counter(path.name for path in paths)
        return {path.name if names[path.name] == 1 else str(path): path for path in paths}

    @cached_property
    def image_hashes(self) -> dict[Path, str]:
        """SHA-256 of every image of the run."""
        paths = [path for network in self.networks for path in self.images_of(network)]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def command(self, *selection: str) -> str:
        """The command that runs the tests of this `selection` with these options again."""
        return shlex.join(["pytest", *selection, *self.arguments])


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "parity", "parity of PNASNet-5 in PyTorch with the official TF-Slim network (pytest parity)"
    )
    group.addoption(
        "--variant", action="append", metavar="NAME", help=f"{' or '.join(VARIANTS)}; repeatable (default: both)"
    )
    group.addoption(
        "--image-size",
        action="append",
        metavar="SIZE",
        help="pixels: a side such as 331, or HEIGHTxWIDTH such as 300x480; repeatable "
        "(default: large 331 and 323, mobile 224)",
    )
    group.addoption(
        "--checkpoint",
        metavar="PREFIX",
        help="a TensorFlow checkpoint (V2 prefix or V1 file) of the one --variant given; "
        "default: a synthetic one, made on first use",
    )
    group.addoption(
        "--images",
        action="append",
        metavar="PATH",
        help="a JPEG or PNG file, or a folder of them; repeatable "
        "(default: each network takes one of two photographs that come with parity)",
    )
    group.addoption(
        "--reference",
        default=DEFAULTS["reference"],
        metavar="SOURCE",
        help="official: the pinned source, fetched on first use (default); slim:PATH: the folder that holds nets/, "
        "as research/slim in a checkout of tensorflow/models",
    )
    group.addoption(
        "--seed",
        type=int,
        default=DEFAULTS["seed"],
        metavar="N",
        help="of the synthetic checkpoint and the integer network (default: 0)",
    )
    group.addoption(
        "--threads",
        type=int,
        default=DEFAULTS["threads"],
        metavar="N",
        help="threads that each framework computes on (default: all cores, here %(default)s)",
    )
    group.addoption(
        "--report",
        metavar="DIR",
        help="folder to write report.html and report.json into: what was judged, drawn and layer by layer",
    )
    _add_evaluation(parser)


def _add_evaluation(parser: pytest.Parser) -> None:
    group = parser.getgroup("imagenet", "evaluation of both models on ImageNet (pytest --full-imagenet)")
    group.addoption(
        "--full-imagenet",
        action="store_true",
        help="evaluate both models on the validation set; continues where an earlier run was stopped",
    )
    add_evaluation_options(group.addoption)
    for name in SETTINGS:
        parser.addini(name, f"default of --{name} with --full-imagenet, relative to this file")


def parse_options(config: pytest.Config, settings: Settings | None = None) -> Options:
    """The checked options, for the variant of the evaluation's `settings` where there is one.

    Raises pytest.UsageError for one that cannot be used.
    """
    evaluated = [network.variant for network in settings.networks] if settings else []
    variants = config.getoption("variant") or evaluated or list(VARIANTS)
    for name in variants:
        if name not in VARIANTS:
            raise pytest.UsageError(f"--variant {name}: expected {' or '.join(VARIANTS)}")
    for option, least in (("threads", 1), ("seed", 0)):
        if config.getoption(option) < least:
            raise pytest.UsageError(f"--{option} {config.getoption(option)}: expected at least {least}")
    networks = tuple(_network(name, size) for name in dict.fromkeys(variants) for size in _sizes(config, name))
    return Options(
        networks=tuple(dict.fromkeys(networks)),
        checkpoint=_checkpoint(config, variants),
        images=_images(config),
        reference=_reference(config),
        seed=config.getoption("seed"),
        threads=config.getoption("threads"),
        arguments=_arguments(config),
        report=_report(config),
    )


def _sizes(config: pytest.Config, variant: str) -> tuple[str, ...]:
    given: list[str] = config.getoption("image_size") or []
    return tuple(given) or DEFAULT_SIZES[variant]


def _network(variant: str, size: str) -> Network:
    try:
        return network_at(variant, size)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _checkpoint(config: pytest.Config, variants: list[str]) -> Path | None:
    prefix = config.getoption("checkpoint")
    if prefix is None:
        return None
    if len(set(variants)) != 1:
        raise pytest.UsageError(
            "--checkpoint holds the weights of one network: say which, with --variant large or mobile"
        )
    from tf_reference import checkpoint
    from tf_reference.errors import InputError

    try:
        checkpoint.locate(prefix)
    except InputError as error:
        raise pytest.UsageError(f"--checkpoint: {error}") from error
    return Path(prefix)


def _images(config: pytest.Config) -> tuple[Path, ...]:
    given = [Path(path) for path in config.getoption("images") or []]
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise pytest.UsageError(
                    f"--images {path}: this folder holds no file {' or '.join(sorted(IMAGE_SUFFIXES))}"
                )
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise pytest.UsageError(f"--images {path}: there is no such file or folder")
    return tuple(files)


def _report(config: pytest.Config) -> Path | None:
    given = config.getoption("report")
    if given and Path(given).exists() and not Path(given).is_dir():
        raise pytest.UsageError(f"--report {given}: this is a file; give a folder, which is made where it is missing")
    return Path(given) if given else None


def _reference(config: pytest.Config) -> str:
    reference: str = config.getoption("reference")
    kind, _, path = reference.partition(":")
    if reference != "official" and (kind != "slim" or not path):
        raise pytest.UsageError(f"--reference {reference}: expected 'official' or 'slim:PATH'")
    if kind == "slim":
        from tf_reference import official
        from tf_reference.errors import InputError

        try:
            official.slim_checkout(Path(path))
        except InputError as error:
            raise pytest.UsageError(f"--reference: {error}") from error
    return reference


def _arguments(config: pytest.Config) -> tuple[str, ...]:
    """The options, as they were given, that change what is compared, so that a command can repeat them."""
    single = [f"--{name}={value}" for name, default in DEFAULTS.items() if (value := config.getoption(name)) != default]
    repeated = [
        f"--{name}={value}"
        for name in ("variant", "image-size", "images")
        for value in config.getoption(name.replace("-", "_")) or []
    ]
    return (*repeated, *single, *(_evaluation_arguments(config) if config.getoption("full_imagenet") else ()))


def _evaluation_arguments(config: pytest.Config) -> Iterator[str]:
    yield "--full-imagenet"
    for name, keywords in EVALUATION_OPTIONS.items():
        value = config.getoption(name.replace("-", "_"))
        if value != keywords.get("default", False if "action" in keywords else None):
            yield f"--{name}" if value is True else f"--{name}={value}"
