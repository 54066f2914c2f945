"""Warnings of others, which are shown at the end of a run and change no result of it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


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
