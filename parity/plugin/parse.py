"""What pytest's options come to: checked, or a usage error that says what to give instead."""

import os
from pathlib import Path

import pytest

from parity.core.errors import InputError
from parity.core.files import check_writable
from parity.core.machine import MOST_THREADS
from parity.core.specification import GivenWeights, is_stored
from parity.imagenet.options import OPTIONS as EVALUATION
from parity.imagenet.options import Settings
from parity.plugin.candidate_options import admitted, candidate_of, training_of
from parity.plugin.entry import SUITE
from parity.plugin.network_options import networks_of, stored_networks_of, variants_of
from parity.plugin.options import REPEATABLE, SINGLE, default, given
from parity.plugin.reference_options import record_of, references_of, stored_reference
from parity.session.options import Options

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


def parse_options(
    config: pytest.Config,
    settings: Settings | None = None,
    taken: frozenset[str] = frozenset(),
    suite: str = "parity",
    module: bool = False,
) -> Options:
    """Return the checked options, for the networks of the evaluation's `settings` where there is one.

    The names `taken` are other plugins' options. `suite` is what this command calls the suite: a path, or a module.
    Raises pytest.UsageError for an option that cannot be used.
    """
    # A generator of random numbers takes no negative seed.
    for option, least in (("threads", 1), ("seed", 0)):
        if given(config, option) < least:
            raise pytest.UsageError(f"--{option} {given(config, option)}: expected at least {least}")
    # The frameworks end the process where the system gives them no more.
    if given(config, "threads") > MOST_THREADS:
        raise pytest.UsageError(f"--threads {given(config, 'threads')}: expected at most {MOST_THREADS:,}")
    references = references_of(config)
    stored = stored_reference(config, references[0]) if is_stored(references[0]) else None
    # The evaluation looks for its checkpoint in more places than the command line.
    checkpoint = settings.checkpoint if settings else _checkpoint(config)
    if settings:
        # Its own sizes: no accuracy is of the small images that other runs judge by default.
        networks = settings.networks
    elif stored:
        networks = stored_networks_of(config, stored)
    else:
        networks = networks_of(config, _variants(config, checkpoint), references)
    candidate = candidate_of(config)
    judged_networks, left_out = admitted(config, networks, candidate)
    return Options(
        networks=judged_networks,
        checkpoint=checkpoint,
        images=_images(config),
        references=references,
        seed=given(config, "seed"),
        threads=given(config, "threads"),
        suite=suite,
        module=module,
        arguments=_arguments(config, taken),
        report=_report(config),
        record=record_of(config),
        reproduce=_reproduce(config),
        compression=given(config, "record-compression"),
        stored=stored,
        candidate=candidate,
        training=training_of(config, networks),
        left_out=left_out,
    )


def _checkpoint(config: pytest.Config) -> GivenWeights | None:
    """Return the weights that are given; None for synthetic ones. Raises pytest.UsageError for bad ones."""
    path = given(config, "checkpoint")
    which = given(config, "weights")
    if path is None:
        if which:
            raise pytest.UsageError("--weights chooses among those of --checkpoint PATH, which is not given")
        return None
    if not path:
        raise pytest.UsageError("--checkpoint is empty: expected the path of weights")
    # PyTorch comes in with it, which a run that only lists its tests does not need.
    from parity.core.weights import read_given

    try:
        return read_given(Path(path), which)
    except InputError as error:
        raise pytest.UsageError(f"--checkpoint: {error}") from error


def _variants(config: pytest.Config, checkpoint: GivenWeights | None) -> list[str]:
    """Return the variants that are asked for, or that the weights are of. Raises pytest.UsageError for another one."""
    asked = variants_of(config)
    if checkpoint is None:
        return asked
    if asked and asked != [checkpoint.variant]:
        raise pytest.UsageError(
            f"--variant {', '.join(asked)}: {checkpoint.path} holds the weights of PNASNet-5 {checkpoint.variant}"
        )
    return [checkpoint.variant]


def _images(config: pytest.Config) -> tuple[Path, ...]:
    """Return the images that are asked for, those of a folder by name. Raises pytest.UsageError for a missing one."""
    files: list[Path] = []
    for path in map(Path, given(config, "images") or []):
        try:
            files += _images_at(path)
        except OSError as error:
            raise pytest.UsageError(f"--images {error.filename}: this cannot be read: {error.strerror}") from error
    return tuple(files)


def _images_at(path: Path) -> list[Path]:
    """Return the image in a file, or those of a folder. Raises pytest.UsageError where there are none, or OSError."""
    if path.is_dir():
        return _images_in(path)
    if not path.is_file():
        raise pytest.UsageError(f"--images {path}: there is no such file or folder")
    # Only whether it may be read: what is in it is looked at before the first gate.
    path.open("rb").close()
    return [path]


def _images_in(folder: Path) -> list[Path]:
    """Return the images of a folder, by name. Raises pytest.UsageError where it has none, or OSError."""
    # A link that leads nowhere is an image that is missing.
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()]
    for path in files:
        path.open("rb").close()
    if not files:
        raise pytest.UsageError(f"--images {folder}: this folder holds no file {' or '.join(sorted(IMAGE_SUFFIXES))}")
    return files


def _report(config: pytest.Config) -> Path | None:
    """Return the folder of the report, if one is asked for. Raises pytest.UsageError where it is a file."""
    folder = given(config, "report")
    if not folder:
        return None
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise pytest.UsageError(f"--report {folder}: this is a file; give a folder, which is made where it is missing")
    try:
        if not given(config, "force"):
            _refuse_other_report(path, config)
        check_writable(path)
    except InputError as error:
        raise pytest.UsageError(f"--report {folder}: {error}") from error
    return path


def _reproduce(config: pytest.Config) -> Path | None:
    """Return the folder for the faults, if one is asked for. Raises pytest.UsageError where it cannot be written."""
    folder = given(config, "reproduce")
    if not folder:
        return None
    for option in ("training", "full-imagenet"):
        if given(config, option):
            raise pytest.UsageError(f"--reproduce is of the layers of pytest parity: leave --{option} out")
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise pytest.UsageError(
            f"--reproduce {folder}: this is a file; give a folder, which is made where it is missing"
        )
    try:
        check_writable(path)
    except InputError as error:
        raise pytest.UsageError(f"--reproduce {folder}: {error}") from error
    return path


def _refuse_other_report(folder: Path, config: pytest.Config) -> None:
    """Raise InputError where `folder` has the report of another run; that of the same command is replaced."""
    from parity.report.reading import read
    from parity.report.recorder import command_of
    from parity.report.render import HTML, JSON

    problem = ""
    if (folder / JSON).exists():
        try:
            command = read(folder / JSON)["run"]["command"]
        except InputError as error:
            problem = str(error)
        else:
            if command != command_of(config):
                problem = f"the report of {command} lies there"
    elif (folder / HTML).exists():
        problem = f"there is a {HTML} without a {JSON}, which parity did not write"
    if problem:
        raise InputError(f"{problem}: name another folder, or add --force to replace it")


def _arguments(config: pytest.Config, taken: frozenset[str]) -> tuple[str, ...]:
    """Return the options, as they were given, that change what is compared, so that a command can repeat them."""
    names = [*REPEATABLE, *SINGLE, "training"]
    if given(config, "full-imagenet"):
        names += ["full-imagenet", *EVALUATION]
    arguments: list[str] = []
    for name in names:
        option = f"--{name}"
        if name in taken:
            option = f"--parity-{name}"
        value = given(config, name)
        if value is True:  # an option without a value
            arguments.append(option)
        elif name in REPEATABLE:
            arguments += [f"{option}={each}" for each in value or []]
        elif value != default(name):
            arguments.append(f"{option}={value}")
    return tuple(arguments)


def suite_in(config: pytest.Config) -> str:
    """Return what a command that is given where this one was calls the suite: a path, or with --pyargs a module."""
    if config.getoption("pyargs"):
        return "parity"
    folder = config.invocation_params.dir
    # Between two drives of Windows there is no relative path.
    if folder.anchor != SUITE.anchor:
        return str(SUITE)
    return os.path.relpath(SUITE, folder)
