"""What `--reference` and `--record` name, checked, or a usage error that says what to give instead."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.files import check_writable
from parity.core.specification import TRACE_SUFFIXES, is_stored
from parity.plugin.options import default, given
from tf_reference import official

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference


def references_of(config: pytest.Config) -> tuple[str, ...]:
    """Return the references that are asked for, each once; by default the official one.

    Raises pytest.UsageError for one that cannot be used, or that is stored and not alone.
    """
    asked = given(config, "reference") or [official.OFFICIAL]
    references = tuple(dict.fromkeys(asked))
    for reference in references:
        if not is_stored(reference):
            _check(reference)
        elif len(references) > 1:
            raise pytest.UsageError(f"--reference {reference} holds weights and images of its own: give it alone")
    return references


def _check(reference: str) -> None:
    """Raise pytest.UsageError for a reference that is of no known kind, or not in its place."""
    try:
        official.kind_of(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}, golden, or a trace, FILE.h5") from error
    if reference == official.OFFICIAL:  # which is fetched when it is used
        return
    try:
        official.find(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def one_running(config: pytest.Config, option: str) -> str:
    """Return the reference that `option` runs. Raises pytest.UsageError for several, or one that is stored."""
    references = references_of(config)
    if len(references) > 1:
        raise pytest.UsageError(f"{option} takes one --reference, and not {', '.join(references)}")
    reference = references[0]
    if is_stored(reference):
        raise pytest.UsageError(f"{option} cannot go with --reference {reference}: it runs the official network")
    return reference


def stored_reference(config: pytest.Config, reference: str) -> "StoredReference":
    """Open what is stored of the official network, which holds weights and images of its own.

    Raises pytest.UsageError where others are asked for, or where it cannot be read.
    """
    for name in ("checkpoint", "images", "seed"):
        value = given(config, name)
        # An option's default is nobody's wish: what the reference holds takes its place.
        if value and value != default(name):
            raise pytest.UsageError(f"--{name} cannot go with --reference {reference}, which holds weights and images")
    from parity.reference.opening import stored

    try:
        return stored(reference)
    except InputError as error:
        raise pytest.UsageError(f"--reference: {error}") from error


def record_of(config: pytest.Config) -> Path | None:
    """Return the trace that is to be written, if any. Raises pytest.UsageError where it cannot be."""
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
    _refuse_other_file(Path(path), given(config, "force"))
    try:
        check_writable(Path(path).parent)
    except InputError as error:
        raise pytest.UsageError(f"--record {path}: {error}") from error
    return Path(path)


def _refuse_other_file(path: Path, force: bool) -> None:
    """Raise pytest.UsageError where there is a file, unless it is a trace and `force` lets that be replaced.

    Weights of the port may be called .h5, too: only a trace is replaced by a new one.
    """
    if not path.exists():
        return
    from parity.reference.trace.store import Reader

    try:
        Reader(path).close()
    except InputError as error:
        raise pytest.UsageError(f"--record {path}: this file is no trace, and is not replaced: {error}") from error
    if not force:
        raise pytest.UsageError(
            f"--record {path}: this trace is there already: name another file, or add --force to replace it"
        )
