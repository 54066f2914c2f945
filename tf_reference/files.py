"""Files that appear whole or not at all, and the system's own reason where they cannot be written."""

import errno
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tf_reference.errors import InputError

ELSEWHERE = "name another folder"
AN_HOUR = 3600
# What helps against each of the system's reasons.
ADVICE = {
    errno.ENOSPC: f"make room on that disk, or {ELSEWHERE}",
    errno.EDQUOT: f"make room within your quota, or {ELSEWHERE}",
    errno.EIO: f"the disk or the way to it fails, {ELSEWHERE}",
    errno.EFBIG: f"raise the limit on the size of files (ulimit -f), or {ELSEWHERE}",
    errno.EROFS: ELSEWHERE,
    errno.EACCES: f"get the right to write there, or {ELSEWHERE}",
    errno.EPERM: f"get the right to write there, or {ELSEWHERE}",
    errno.EEXIST: f"a part of its path is a file, {ELSEWHERE}",
    errno.ENOTDIR: f"a part of its path is a file, {ELSEWHERE}",
    errno.EISDIR: "name a file",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs, which hold all files that the system can open",
    errno.ENOLCK: f"its file system has no file locks, {ELSEWHERE}",
}


def reason(text: str) -> str:
    """Return what the system said in `text`, an error's own words, with what helps against it."""
    # By the words: libraries in C++ pass these on, with words of their own around them, and no number.
    for number, advice in ADVICE.items():
        if os.strerror(number) in text:
            return f"{os.strerror(number)}: {advice}"
    return text


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise InputError that names `target`, and the system's reason, where writing it fails."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{target} cannot be written: {reason(error.strerror or str(error))}") from error


@contextmanager
def reading(source: object) -> Iterator[None]:
    """Raise InputError that names `source`, and the system's reason, where reading it fails."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}") from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `target` when the block ends well, and is removed if not.

    Raise InputError where it cannot be written.
    """
    # A link stays one: the file that it leads to is replaced.
    place = Path(os.path.realpath(target))
    with writing(target):
        if place.exists() and not (place.is_file() or place.is_dir()):
            raise OSError(f"it is no file, but a device or a pipe: {ELSEWHERE}")
        with staging(place.parent) as stage:
            yield stage / place.name
            (stage / place.name).replace(place)


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield a new hidden folder in `folder`, so on the same disk, and remove it at the end with what is still in it.

    `folder` is made if it is missing. What killed processes left there is removed, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    stage = folder / f".{uuid.uuid4().hex}.partial"
    stage.mkdir()
    try:
        with _locked(stage, wait=True):
            yield stage
    finally:
        # Once its lock has ended, another process may be at it, too.
        shutil.rmtree(stage, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove the stages in `folder` whose processes have ended."""
    for leftover in folder.glob(f".{'[0-9a-f]' * 32}.partial"):
        # What another process removes first is gone all the same.
        with suppress(OSError), _locked(leftover, wait=False) as is_locked:
            # One that is new and empty may be not yet locked by its own process.
            is_old = leftover.stat().st_mtime < time.time() - AN_HOUR
            if is_locked and (is_old or any(leftover.iterdir())):
                shutil.rmtree(leftover)


@contextmanager
def _locked(folder: Path, wait: bool) -> Iterator[bool]:
    """Hold the lock of a folder, which ends with its process, and yield whether it could be had."""
    if os.name != "posix":  # fcntl is POSIX's
        yield False
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    """Lock an open file or folder, and return whether that worked: some file systems have no locks."""
    import fcntl

    try:
        fcntl.flock(descriptor, kind)
    except OSError:
        return False
    return True


def check_writable(folder: Path) -> None:
    """Raise InputError where nothing can be written in `folder`, or where it is missing and cannot be made."""
    with writing(folder), staging(_nearest(folder)):
        pass


def check_room(folder: Path, size: int) -> None:
    """Raise InputError where a file of so many bytes has no place in `folder`, or where that would be made."""
    with writing(folder):
        if shutil.disk_usage(_nearest(folder)).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if _largest_file() < size:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _nearest(folder: Path) -> Path:
    """Return the folder, or where it is missing the one that it would be made in."""
    nearest = folder.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    return nearest


def _largest_file() -> float:
    """Return how many bytes a file of this process may have."""
    if os.name != "posix":
        return math.inf
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit
