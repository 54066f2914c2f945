"""What `--reference` names, checked, or a usage error that says what to give instead."""

import pytest

from parity.options import is_stored
from tf_reference import official
from tf_reference.errors import InputError


def references_of(config: pytest.Config) -> tuple[str, ...]:
    """The references that are asked for, each once."""
    given = tuple(dict.fromkeys(config.getoption("reference") or [official.OFFICIAL]))
    for reference in given:
        if is_stored(reference) and len(given) > 1:
            raise pytest.UsageError(f"--reference {reference} holds weights and images of its own: give it alone")
        if not is_stored(reference):
            _check(reference)
    return given


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
