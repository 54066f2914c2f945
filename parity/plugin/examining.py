"""What is given is examined before anything is judged, so that a run of hours finds out in its first seconds."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parity.core.errors import InputError
from parity.core.pinning import import_triton
from parity.plugin.cases import OPTIONS, cases


def examine(session: pytest.Session) -> None:
    """Raise pytest.UsageError where what the selected cases are judged on cannot be used; where none is, nothing is."""
    # Listing the items judges nothing.
    if session.config.option.collectonly or not cases(session.items):
        return
    options = session.config.stash[OPTIONS]
    if options.candidate:
        with _refused("--candidate"):
            options.candidate.examine(options.networks)
    if options.images:
        with _refused("--images"):
            _examine_images(options.images)


@contextmanager
def _refused(option: str) -> Iterator[None]:
    """Turn an InputError into a pytest.UsageError that begins with the option."""
    try:
        yield
    except InputError as error:
        raise pytest.UsageError(f"{option}: {error}") from error


def _examine_images(images: Iterable[Path]) -> None:
    """Raise InputError, naming the file, for an image that TensorFlow cannot decode."""
    import_triton()
    from tf_reference.preprocess import decode_image

    for image in images:
        decode_image(image)
