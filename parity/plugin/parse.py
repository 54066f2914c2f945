"""What pytest's options come to: checked, or a usage error that says what to give instead."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.layers import DEFAULT_SIZES, Network, network_at, parse_size
from parity.core.specification import is_stored, labelled
from parity.imagenet.options import OPTIONS as EVALUATION
from parity.imagenet.options import Settings
from parity.plugin.candidate_options import admitted, candidate_of, training_of
from parity.plugin.entry import SUITE
from parity.plugin.options import REPEATABLE, SINGLE, default, given
from parity.plugin.reference_options import record_of, references_of, stored_reference
from parity.session.options import Options
from pnasnet_torch.genotype import VARIANTS
from tf_reference import official

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


def parse_options(
    config: pytest.Config,
    settings: Settings | None = None,
    taken: frozenset[str] = frozenset(),
    suite: str = "parity",
    module: bool = False,
) -> Options:
    """The checked options, for the variant of the evaluation's `settings` where there is one.

    The names `taken` are other plugins' options. `suite` is what this command calls the suite: a path, or a module.

    Raises pytest.UsageError for one that cannot be used.
    """
    for option, least in (("threads", 1), ("seed", 0)):
        if given(config, option) < least:
            raise pytest.UsageError(f"--{option} {given(config, option)}: expected at least {least}")
    evaluated = [network.variant for network in settings.networks] if settings else []
    variants = _variants(config) or evaluated
    references = references_of(config)
    stored = stored_reference(config, *references) if is_stored(references[0]) else None
    networks = _stored_networks(config, stored) if stored else _networks(config, variants, references)
    candidate = candidate_of(config)
    judged, left_out = admitted(config, networks, candidate) if candidate else (networks, ())
    return Options(
        networks=judged,
        checkpoint=settings.checkpoint if settings else _checkpoint(config, networks),
        images=_images(config),
        references=references,
        seed=given(config, "seed"),
        threads=given(config, "threads"),
        suite=suite,
        module=module,
        arguments=_arguments(config, taken),
        report=_report(config),
        record=record_of(config),
        compression=given(config, "record-compression"),
        stored=stored,
        candidate=candidate,
        training=training_of(config, networks),
        left_out=left_out,
    )


def _variants(config: pytest.Config) -> list[str]:
    """Those that are asked for, each once."""
    asked: list[str] = list(dict.fromkeys(given(config, "variant") or []))
    for name in asked:
        if name not in VARIANTS:
            raise pytest.UsageError(f"--variant {name}: expected {' or '.join(VARIANTS)}")
    return asked


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
    sizes: list[str] = given(config, "image-size") or []
    usual = DEFAULT_SIZES[variant]
    return tuple(sizes) or (usual[:1] if given(config, "training") else usual)


def _network(variant: str, size: str, label: str) -> Network:
    try:
        return replace(network_at(variant, size), reference=label)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _checkpoint(config: pytest.Config, networks: Sequence[Network]) -> Path | None:
    prefix = given(config, "checkpoint")
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
    paths = [Path(path) for path in given(config, "images") or []]
    files: list[Path] = []
    for path in paths:
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
    folder = given(config, "report")
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        raise pytest.UsageError(f"--report {folder}: this is a file; give a folder, which is made where it is missing")
    return Path(folder) if folder else None


def _stored_networks(config: pytest.Config, stored: "StoredReference") -> tuple[Network, ...]:
    """Those that are stored, of the variants and sizes that are asked for.

    Raises pytest.UsageError where one that was asked for, each variant at each size, is not stored.
    """
    variants: Sequence[str | None] = _variants(config) or [None]
    sizes: Sequence[str | None] = given(config, "image-size") or [None]
    chosen: list[Network] = []
    for variant in variants:
        for size in sizes:
            matching = [network for network in stored.networks if _is_asked_for(network, variant, size)]
            if not matching:
                held = ", ".join(map(str, stored.networks))
                raise pytest.UsageError(
                    f"--reference {references_of(config)[0]} holds {held}, and not what is asked for"
                )
            chosen += matching
    return tuple(network for network in stored.networks if network in chosen)


def _is_asked_for(network: Network, variant: str | None, size: str | None) -> bool:
    """Whether the network is of the variant and of the size; None where any will do."""
    if variant is not None and network.variant != variant:
        return False
    return size is None or (network.height, network.width) == _size(size)


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size(text)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _arguments(config: pytest.Config, taken: frozenset[str]) -> tuple[str, ...]:
    """The options, as they were given, that change what is compared, so that a command can repeat them."""
    names = [*REPEATABLE, *SINGLE, "training"]
    if given(config, "full-imagenet"):
        names += ["full-imagenet", *EVALUATION]
    arguments: list[str] = []
    for name in names:
        option = f"--parity-{name}" if name in taken else f"--{name}"
        value = given(config, name)
        if value is True:
            arguments.append(option)
        elif name in REPEATABLE:
            arguments += [f"{option}={each}" for each in value or []]
        elif value != default(name):
            arguments.append(f"{option}={value}")
    return tuple(arguments)


def suite_in(config: pytest.Config) -> str:
    """What a command that is given where this one was calls the suite: a path, or with --pyargs a module."""
    if config.getoption("pyargs"):
        return "parity"
    folder = config.invocation_params.dir
    return os.path.relpath(SUITE, folder) if folder.anchor == SUITE.anchor else str(SUITE)
