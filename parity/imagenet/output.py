"""Where results are written: whether that can be done is found out first."""

from pathlib import Path

from parity.core.errors import InputError
from parity.core.files import check_room, check_writable, writing

# Bytes: of an image's record, which takes about 350 unless its name is long, and of a file of results without any.
RECORD = 600
EMPTY = 100_000


def check_file(path: Path, images: int) -> None:
    """Raise InputError where a file of results at `path` cannot be written, or not with so many images."""
    check_writable(path.parent)
    if path.is_dir():
        raise InputError(f"{path} is a folder: expected a file of results, or none. Give another --output")
    stored = 0
    if path.exists():
        with writing(path), open(path, "ab"):
            stored = path.stat().st_size
    check_room(path.parent, EMPTY + RECORD * images - stored)
