"""Where results are written: whether that can be done is found out first, and one process does it at a time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from parity.core.errors import InputError

# Bytes: of an image's record, which takes about 350 unless its name is long, and of a file of results without any.
RECORD = 600
EMPTY = 100_000


def check_folder(folder: Path) -> Path:
    """Return the folder, or the one above that it would be made in. Raises InputError where that cannot be written."""
    nearest = folder
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"results cannot be written to {folder}: {nearest} is no folder. Give another --output")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritable(folder, nearest)
    return nearest


def check_file(path: Path, images: int) -> None:
    """Raise InputError where a file of results at `path` cannot be written, or not with so many images."""
    folder = check_folder(path.parent)
    if path.is_dir():
        raise InputError(f"{path} is a folder: expected a file of results, or none. Give another --output")
    if path.exists() and not os.access(path, os.W_OK):
        raise _unwritable(path.parent, path)
    size = EMPTY + RECORD * images
    free = shutil.disk_usage(folder).free
    stored = path.stat().st_size if path.exists() else 0
    if size - stored > free:
        raise InputError(
            f"{path} may take {size - stored:,} bytes more, and {folder} has {free:,} free. Make room, or give another "
            "--output"
        )
    limit = _largest_file()
    if limit is not None and size > limit:
        raise InputError(f"{path} may take {size:,} bytes, and files may have {limit:,} here: raise that by ulimit -f")


def _unwritable(folder: Path, place: Path) -> InputError:
    """Return the error that names the place which may not be written."""
    return InputError(
        f"results cannot be written to {folder}: {place} is not writable. Make it writable, or give another --output"
    )


def _largest_file() -> int | None:
    """Return how many bytes a file of this process may have; None where there is no limit."""
    if os.name != "posix":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


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
