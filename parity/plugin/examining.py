"""What is given is examined before anything is judged, so that a run of hours finds out in its first seconds."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from parity.core.errors import InputError
from parity.core.pinning import import_triton
from parity.plugin.cases import OPTIONS, cases

# A report has some megabytes.
REPORT_BYTES = 50_000_000


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
    if options.report:
        with _refused("--report"):
            _examine_folder(options.report)


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


def _examine_folder(folder: Path) -> None:
    """Raise InputError unless files can be written into the folder, or where it will be made, and there is space."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        raise InputError(
            f"nothing can be written into {place}: {error.strerror}; give a folder in which you may write"
        ) from error
    if free < REPORT_BYTES:
        raise InputError(
            f"{free / 1e6:.0f} MB are free in {place}, and a report takes up to {REPORT_BYTES / 1e6:.0f}: "
            "make room, or give a folder on another disk"
        )
