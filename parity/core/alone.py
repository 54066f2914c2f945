"""One process at a time writes a file that a command adds to, and continues."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from parity.core.errors import InputError


@contextmanager
def alone(path: Path, hint: str = "") -> Iterator[None]:
    """Let no other process add to the file at `path` meanwhile.

    Folders that were made for it and are empty at the end are removed. Raise InputError, which ends in `hint`, where
    another process has it already, or where it cannot be locked.
    """
    made = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
    lock = FileLock(path.with_suffix(".lock"), blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process writes {path}: wait for it or stop it, and the same command continues; or give another "
            f"--output{hint}"
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
