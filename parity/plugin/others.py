"""What comes from others: warnings, shown at the end of a run, which change no result; and errors, in a sentence."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from parity.core.errors import is_outside, told


@contextmanager
def shown_at_the_end(config: pytest.Config) -> Iterator[None]:
    """Let pytest tell at its end of each warning while this lasts, where the user or a project makes errors of them."""
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            for message in messages:
                config.hook.pytest_warning_recorded.call_historic(
                    kwargs={"warning_message": message, "nodeid": "", "when": "config", "location": None}
                )


@contextmanager
def refused(option: str = "") -> Iterator[None]:
    """Turn an error from outside of the program into a usage error, which begins with the `option` that it is of."""
    try:
        yield
    except Exception as error:
        if is_outside(error):
            raise pytest.UsageError(f"{option}: {told(error)}" if option else told(error)) from error
        raise
