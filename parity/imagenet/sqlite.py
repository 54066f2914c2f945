"""SQLite's files as the system lets them be used: opened, and what stands in the way said by name."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parity.core.errors import InputError

# Seconds for which SQLite waits where another process writes.
PATIENCE = 60
# By SQLite's primary code, what it comes from and what helps. Whatever was stored before is whole in all cases but the
# last two.
ADVICE = {
    sqlite3.SQLITE_BUSY: f"another process has held it for {PATIENCE} s. Wait for that process, or stop it, and start "
    "again: what is stored stays",
    sqlite3.SQLITE_FULL: "no space is left there. Make room, and start again: what is stored stays",
    sqlite3.SQLITE_IOERR: "the system refused to read or write it: a full disk, a quota, a limit on the size of files "
    "(ulimit -f), or a file system without locks. Mend that, or take --output on another disk: what is stored stays",
    sqlite3.SQLITE_READONLY: "it, or its folder, cannot be written. Make both writable: what is stored stays",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Move it elsewhere, and its images are evaluated again",
    sqlite3.SQLITE_NOTADB: "it is no file of results. Move it elsewhere, and its images are evaluated again",
}
OTHER = "the evaluation cannot use it as it is. Move it elsewhere, or give another --output"
# A worker that was killed within a batch leaves half of it, and beside it what undoes that.
HALF_A_BATCH = (
    "a worker was killed within a batch, half of which has to be undone first, and that takes the permission to write. "
    "Make the file and its folder writable, or copy the folder and use the copy: what is stored stays"
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, which SQLite makes where it is missing. Raises InputError if it cannot be opened."""
    with naming(path):
        # Transactions begin in Store alone: with another isolation level the module would begin some by itself.
        return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold a file open; raise InputError where it turns out to be no sound one."""
    connection = connect(path)
    try:
        with naming(path):
            yield connection
    finally:
        connection.close()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raise what SQLite says of a file as InputError, with the file, the reason, and what helps."""
    try:
        yield
    except sqlite3.Error as error:
        # What the module says itself, such as of a value of a wrong type, has no code, and is the program's own fault.
        if not hasattr(error, "sqlite_errorcode"):
            raise
        raise InputError(f"{path}: {error}; {_advice(path, error.sqlite_errorcode)}") from error


def _advice(path: Path, code: int) -> str:
    """Return what an error with this extended code comes from, and what helps."""
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        return HALF_A_BATCH
    # The lowest byte is the primary code.
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_CANTOPEN:
        return f"{_reason(path)}. Mend that, and start again: what is stored stays"
    return ADVICE.get(primary, OTHER)


def _reason(path: Path) -> str:
    """Return why the system does not open a file, in its own words; SQLite does not pass them on."""
    try:
        path.open("r+b").close()
    except OSError as error:
        return str(error.strerror)
    return "its folder cannot be written"
