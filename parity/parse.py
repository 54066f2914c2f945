"""What pytest's options come to: checked, or a usage error that says what to give instead."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.imagenet.options import OPTIONS as EVALUATION_OPTIONS
from parity.imagenet.options import Settings
from parity.layers import DEFAULT_SIZES, Network, network_at, parse_size
from parity.options import DEFAULTS, TRACE_SUFFIXES, Options, is_stored
from pnasnet_torch.genotype import VARIANTS

if TYPE_CHECKING:
    from parity.candidates.candidate import Candidate
    from parity.sources import StoredSource

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


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
    reference = _reference(config)
    stored = _stored(config, reference) if is_stored(reference) else None
    networks = tuple(_network(name, size) for name in dict.fromkeys(variants) for size in _sizes(config, name))
    networks = _stored_networks(config, stored) if stored else tuple(dict.fromkeys(networks))
    candidate = _candidate(config)
    return Options(
        networks=_admitted(config, networks, candidate) if candidate else networks,
        checkpoint=settings.checkpoint if settings else _checkpoint(config, variants),
        images=_images(config),
        reference=reference,
        seed=config.getoption("seed"),
        threads=config.getoption("threads"),
        arguments=_arguments(config),
        report=_report(config),
        record=_record(config, reference),
        compression=config.getoption("record_compression"),
        stored=stored,
        candidate=candidate,
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
    if reference != "official" and not is_stored(reference) and (kind != "slim" or not path):
        raise pytest.UsageError(f"--reference {reference}: expected official, slim:PATH, golden, or a trace, FILE.h5")
    if kind == "slim":
        from tf_reference import official
        from tf_reference.errors import InputError

        try:
            official.slim_checkout(Path(path))
        except InputError as error:
            raise pytest.UsageError(f"--reference: {error}") from error
    return reference


def _stored(config: pytest.Config, reference: str) -> "StoredSource":
    for name in ("checkpoint", "images", "seed"):
        value = config.getoption(name)
        if value and value != DEFAULTS.get(name):
            raise pytest.UsageError(f"--{name} cannot go with --reference {reference}, which holds weights and images")
    from parity.sources import stored
    from tf_reference.errors import InputError

    try:
        return stored(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def _stored_networks(config: pytest.Config, stored: "StoredSource") -> tuple[Network, ...]:
    """Those that are stored, of the variants and sizes that are asked for."""
    variants: list[str | None] = config.getoption("variant") or [None]
    sizes: list[tuple[int, int] | None] = [_size(size) for size in config.getoption("image_size") or []]
    sizes = sizes or [None]

    def matches(network: Network, variant: str | None, size: tuple[int, int] | None) -> bool:
        return variant in (None, network.variant) and size in (None, (network.height, network.width))

    asked = [(variant, size) for variant in variants for size in sizes]
    if not all(any(matches(network, *pair) for network in stored.networks) for pair in asked):
        held = ", ".join(map(str, stored.networks))
        raise pytest.UsageError(f"--reference {config.getoption('reference')} holds {held}, and not what is asked for")
    return tuple(network for network in stored.networks if any(matches(network, *pair) for pair in asked))


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size(text)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def _record(config: pytest.Config, reference: str) -> Path | None:
    given = config.getoption("record")
    if not given:
        if config.getoption("record_compression") != "none":
            raise pytest.UsageError("--record-compression is for --record FILE.h5, which is not given")
        return None
    if config.getoption("full_imagenet"):
        raise pytest.UsageError("--record records what pytest parity compares: it cannot go with --full-imagenet")
    if is_stored(reference):
        raise pytest.UsageError(f"--record records the official network: it cannot go with --reference {reference}")
    if not given.endswith(TRACE_SUFFIXES) or Path(given).is_dir():
        raise pytest.UsageError(f"--record {given}: expected the name of a file that ends in .h5")
    _refuse_other_file(Path(given))
    return Path(given)


def _refuse_other_file(path: Path) -> None:
    """Weights of the port may be called .h5, too: only a trace is replaced by a new one."""
    from parity.trace.store import Reader
    from tf_reference.errors import InputError

    try:
        if path.exists():
            Reader(path).close()
    except InputError as error:
        raise pytest.UsageError(f"--record {path}: this file is no trace, and is not replaced: {error}") from error


def _candidate(config: pytest.Config) -> "Candidate | None":
    name, adapter = config.getoption("candidate"), config.getoption("adapter")
    if not name:
        if adapter:
            raise pytest.UsageError("--adapter says how --candidate MODULE:CALLABLE is built, which is not given")
        return None
    if config.getoption("full_imagenet"):
        raise pytest.UsageError(f"--candidate {name} cannot go with --full-imagenet, which evaluates the port")
    from parity.candidates.find import find_candidate
    from tf_reference.errors import InputError

    try:
        return find_candidate(name, Path(adapter) if adapter else None, config.getoption("threads"))
    except InputError as error:
        raise pytest.UsageError(f"--candidate: {error}") from error


def _admitted(config: pytest.Config, networks: tuple[Network, ...], candidate: "Candidate") -> tuple[Network, ...]:
    """The networks that the candidate has. One that was asked for and that it has not is an error; a variant was not
    asked for where none was named."""
    refused = {network: reason for network in networks if (reason := candidate.refuses(network))}
    admitted = tuple(network for network in networks if network not in refused)
    named = config.getoption("variant") or [network.variant for network in admitted]
    asked = [network for network in refused if not admitted or network.variant in named]
    if asked and (not admitted or config.getoption("variant") or config.getoption("image_size")):
        raise pytest.UsageError(f"--candidate {candidate.name} cannot be judged as {asked[0]}: {refused[asked[0]]}")
    return admitted


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
