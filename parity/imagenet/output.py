"""Where results are written: whether that can be done is found out first, and one process does it at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process write the results at `path` meanwhile. Raises InputError where one does already.

    Folders that were made for it and are empty at the end are removed.
    """
    from filelock import FileLock, Timeout

    made = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
    lock = FileLock(path.with_suffix(".lock"), blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process evaluates what {path} is for: wait for it or stop it, and the same command continues; or "
            "give another --output. Several workers are told apart by RANK and WORLD_SIZE"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be locked: {error.strerror}. Give an --output on another disk") from error
    try:
        yield
    finally:
        # Before others can take it, who would then hold a file that nobody finds.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
