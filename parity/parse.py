"""What pytest's options come to: checked, or a usage error that says what to give instead."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.candidate_option import admitted, candidate_of
from parity.imagenet.options import OPTIONS as EVALUATION_OPTIONS
from parity.imagenet.options import Settings
from parity.layers import DEFAULT_SIZES, Network, network_at, parse_size
from parity.options import DEFAULTS, Options, is_stored, labelled
from parity.record_option import record_of
from parity.reference_option import references_of
from parity.training_option import training_of
from pnasnet_torch.genotype import VARIANTS
from tf_reference import official
from tf_reference.errors import InputError

if TYPE_CHECKING:
    from parity.sources import StoredSource

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


def parse_options(config: pytest.Config, settings: Settings | None = None) -> Options:
    """The checked options, for the variant of the evaluation's `settings` where there is one.

    Raises pytest.UsageError for one that cannot be used.
    """
    for option, least in (("threads", 1), ("seed", 0)):
        if config.getoption(option) < least:
            raise pytest.UsageError(f"--{option} {config.getoption(option)}: expected at least {least}")
    evaluated = [network.variant for network in settings.networks] if settings else []
    variants = _variants(config) or evaluated
    references = references_of(config)
    stored = _stored(config, *references) if is_stored(references[0]) else None
    networks = _stored_networks(config, stored) if stored else _networks(config, variants, references)
    candidate = candidate_of(config)
    judged, left_out = admitted(config, networks, candidate) if candidate else (networks, ())
    return Options(
        networks=judged,
        checkpoint=settings.checkpoint if settings else _checkpoint(config, networks),
        images=_images(config),
        references=references,
        seed=config.getoption("seed"),
        threads=config.getoption("threads"),
        arguments=_arguments(config),
        report=_report(config),
        record=record_of(config),
        compression=config.getoption("record_compression"),
        stored=stored,
        candidate=candidate,
        training=training_of(config, networks),
        left_out=left_out,
    )


def _variants(config: pytest.Config) -> list[str]:
    """Those that are asked for, each once."""
    given: list[str] = list(dict.fromkeys(config.getoption("variant") or []))
    for name in given:
        if name not in VARIANTS:
            raise pytest.UsageError(f"--variant {name}: expected {' or '.join(VARIANTS)}")
    return given


def _networks(config: pytest.Config, asked: Sequence[str], references: Sequence[str]) -> tuple[Network, ...]:
    """The variants that are asked for, or else all, at each size, and for each reference that has them."""
    has = {reference: official.kind_of(reference).variants for reference in references}
    for reference, variants in has.items():
        for name in asked:
            if name not in variants:
                raise pytest.UsageError(
                    f"--variant {name}: --reference {reference} has PNASNet-5 {' and '.join(variants)} alone; without "
                    "--variant each reference is run as far as it goes"
                )
    networks = [
        _network(name, size, label)
        for name in asked or VARIANTS
        for size in _sizes(config, name)
        for label, reference in labelled(references).items()
        if name in has[reference]
    ]
    return tuple(dict.fromkeys(networks))


def _sizes(config: pytest.Config, variant: str) -> tuple[str, ...]:
    given: list[str] = config.getoption("image_size") or []
    usual = DEFAULT_SIZES[variant]
    return tuple(given) or (usual[:1] if config.getoption("training") else usual)


def _network(variant: str, size: str, label: str) -> Network:
    try:
        return replace(network_at(variant, size), reference=label)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _checkpoint(config: pytest.Config, networks: Sequence[Network]) -> Path | None:
    prefix = config.getoption("checkpoint")
    if prefix is None:
        return None
    if len({network.variant for network in networks}) != 1:
        raise pytest.UsageError(
            "--checkpoint holds the weights of one network: say which, with --variant large or mobile"
        )
    from tf_reference import checkpoint

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


def _stored(config: pytest.Config, reference: str) -> "StoredSource":
    for name in ("checkpoint", "images", "seed"):
        value = config.getoption(name)
        if value and value != DEFAULTS.get(name):
            raise pytest.UsageError(f"--{name} cannot go with --reference {reference}, which holds weights and images")
    from parity.sources import stored

    try:
        return stored(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def _stored_networks(config: pytest.Config, stored: "StoredSource") -> tuple[Network, ...]:
    """Those that are stored, of the variants and sizes that are asked for."""
    variants: Sequence[str | None] = _variants(config) or [None]
    sizes: list[tuple[int, int] | None] = [_size(size) for size in config.getoption("image_size") or []]
    sizes = sizes or [None]

    def matches(network: Network, variant: str | None, size: tuple[int, int] | None) -> bool:
        return variant in (None, network.variant) and size in (None, (network.height, network.width))

    asked = [(variant, size) for variant in variants for size in sizes]
    if not all(any(matches(network, *pair) for network in stored.networks) for pair in asked):
        held = ", ".join(map(str, stored.networks))
        raise pytest.UsageError(f"--reference {references_of(config)[0]} holds {held}, and not what is asked for")
    return tuple(network for network in stored.networks if any(matches(network, *pair) for pair in asked))


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size(text)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _arguments(config: pytest.Config) -> tuple[str, ...]:
    """The options, as they were given, that change what is compared, so that a command can repeat them."""
    single = [f"--{name}={value}" for name, default in DEFAULTS.items() if (value := config.getoption(name)) != default]
    repeated = [
        f"--{name}={value}"
        for name in ("variant", "image-size", "images", "reference")
        for value in config.getoption(name.replace("-", "_")) or []
    ]
    asked = ["--training"] if config.getoption("training") else []
    if config.getoption("full_imagenet"):
        asked += _evaluation_arguments(config)
    return (*repeated, *single, *asked)


def _evaluation_arguments(config: pytest.Config) -> Iterator[str]:
    yield "--full-imagenet"
    for name, keywords in EVALUATION_OPTIONS.items():
        value = config.getoption(name.replace("-", "_"))
        if value != keywords.get("default", False if "action" in keywords else None):
            yield f"--{name}" if value is True else f"--{name}={value}"
