"""What can be wrong with a file of weights; the message says what was found and what was expected."""

from collections.abc import Iterator
from contextlib import contextmanager


class WeightsError(ValueError):
    """Weights that do not fit the network, or a file that does not hold weights."""


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what the system says against reading the file at `path` into a WeightsError that passes it on by name."""
    try:
        yield
    except OSError as error:
        # Some libraries raise an OSError of their own about the content, which has no reason of the system.
        if error.errno is None:
            raise
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
