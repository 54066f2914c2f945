"""What `--reference` and `--record` name, checked, or a usage error that says what to give instead."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.specification import TRACE_SUFFIXES, is_stored
from parity.plugin.options import default, given
from tf_reference import official

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference


def references_of(config: pytest.Config) -> tuple[str, ...]:
    """The references that are asked for, each once."""
    asked = tuple(dict.fromkeys(given(config, "reference") or [official.OFFICIAL]))
    for reference in asked:
        if is_stored(reference) and len(asked) > 1:
            raise pytest.UsageError(f"--reference {reference} holds weights and images of its own: give it alone")
        if not is_stored(reference):
            _check(reference)
    return asked


def _check(reference: str) -> None:
    try:
        official.kind_of(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}, golden, or a trace, FILE.h5") from error
    try:
        if reference != official.OFFICIAL:  # which is fetched when it is used
            official.find(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def one_running(config: pytest.Config, option: str) -> str:
    """The reference that `option` runs, and of which it takes one."""
    reference, *more = references_of(config)
    if more:
        raise pytest.UsageError(f"{option} takes one --reference, and not {', '.join((reference, *more))}")
    if is_stored(reference):
        raise pytest.UsageError(f"{option} cannot go with --reference {reference}: it runs the official network")
    return reference


def stored_reference(config: pytest.Config, reference: str) -> "StoredReference":
    """What is stored of the official network, which holds weights and images of its own."""
    for name in ("checkpoint", "images", "seed"):
        value = given(config, name)
        if value and value != default(name):
            raise pytest.UsageError(f"--{name} cannot go with --reference {reference}, which holds weights and images")
    from parity.reference.opening import stored

    try:
        return stored(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def record_of(config: pytest.Config) -> Path | None:
    """The trace that is to be written, if any."""
    path = given(config, "record")
    if not path:
        if given(config, "record-compression") != "none":
            raise pytest.UsageError("--record-compression is for --record FILE.h5, which is not given")
        return None
    if given(config, "full-imagenet"):
        raise pytest.UsageError("--record records what pytest parity compares: it cannot go with --full-imagenet")
    one_running(config, "--record")
    if not path.endswith(TRACE_SUFFIXES) or Path(path).is_dir():
        raise pytest.UsageError(f"--record {path}: expected the name of a file that ends in .h5")
    _refuse_other_file(Path(path))
    return Path(path)


def _refuse_other_file(path: Path) -> None:
    """Weights of the port may be called .h5, too: only a trace is replaced by a new one."""
    from parity.reference.trace.store import Reader

    try:
        if path.exists():
            Reader(path).close()
    except InputError as error:
        raise pytest.UsageError(f"--record {path}: this file is no trace, and is not replaced: {error}") from error
