"""Records on disk: SQLite, one file a worker, one transaction a batch. A file of another fingerprint is refused."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.imagenet.record import Answer, Failure, Record

SIDES = ("official", "port")
ANSWER = ("classes", "logits", "margin_1", "margin_5")
COLUMNS = (
    *("image", "name", "label"),
    *(f"{side}_{part}" for side in SIDES for part in ANSWER),
    *("logit_difference", "official_error"),
)
SCHEMA = (
    "CREATE TABLE fingerprint (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE run (images INTEGER NOT NULL, machine TEXT NOT NULL)",
    f"CREATE TABLE images (image INTEGER PRIMARY KEY, {', '.join(COLUMNS[1:])})",
    "CREATE TABLE failures (image INTEGER PRIMARY KEY, name TEXT NOT NULL, problem TEXT NOT NULL)",
)
Fingerprint = Mapping[str, str]


class Store:
    """The file of one worker, made if missing, of a run over `images` images on a `machine`.

    Killed at any moment it holds whole batches, each once. Raises InputError where the file is none of these, or holds
    records of another fingerprint.
    """

    def __init__(self, path: Path, fingerprint: Fingerprint, images: int, machine: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _connect(path)
        with _naming(path), self._transaction():
            if not _tables(self._connection):
                for statement in SCHEMA:
                    self._connection.execute(statement)
                self._connection.executemany("INSERT INTO fingerprint VALUES (?, ?)", fingerprint.items())
        check_fingerprint(path, read_fingerprint(path), fingerprint)
        with self._transaction():
            self._connection.execute("DELETE FROM run")
            self._connection.execute("INSERT INTO run VALUES (?, ?)", (images, machine))

    def add(self, records: Iterable[Record], failures: Iterable[Failure]) -> None:
        """Writes a batch, all of it or nothing; an image that failed before and has a record now has not failed."""
        marks = ", ".join("?" * len(COLUMNS))
        rows = [_row(record) for record in records]
        with self._transaction():
            self._connection.executemany(f"INSERT OR REPLACE INTO images VALUES ({marks})", rows)
            self._connection.executemany("DELETE FROM failures WHERE image = ?", [row[:1] for row in rows])
            self._connection.executemany(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?)",
                [(failure.index, failure.name, failure.problem) for failure in failures],
            )

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            yield


def worker_files(folder: Path) -> list[Path]:
    """The workers' files in `folder`, whoever wrote them."""
    return sorted(folder.glob("worker-*.sqlite"))


def read_fingerprint(path: Path) -> dict[str, str]:
    """What the file's records depend on; empty where a worker was stopped before it wrote anything."""
    with _reading(path) as connection:
        return dict(connection.execute("SELECT key, value FROM fingerprint")) if _tables(connection) else {}


def read_run(path: Path) -> tuple[int, str] | None:
    """Of how many images the worker's latest run was to be, and on what machine."""
    with _reading(path) as connection:
        row = connection.execute("SELECT images, machine FROM run").fetchone() if _tables(connection) else None
        return None if row is None else (row[0], row[1])


def check_fingerprint(path: Path, found: Fingerprint, expected: Fingerprint) -> None:
    """Raises InputError that lists what differs."""
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    if keys:
        listed = "\n  ".join(f"{key}: {found.get(key, 'none')} there, {expected.get(key, 'none')} now" for key in keys)
        raise InputError(
            f"{path} holds results of something else; they are not mixed:\n  {listed}\n"
            "Give another --output, or delete that folder to begin anew"
        )


def read_records(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of all files, one at a time; an image that two files have comes once."""
    seen: set[int] = set()
    for path in paths:
        with _reading(path) as connection:
            for row in connection.execute("SELECT * FROM images ORDER BY image") if _tables(connection) else ():
                if row[0] not in seen:
                    seen.add(row[0])
                    yield _record(row)


def read_failures(paths: Iterable[Path]) -> list[Failure]:
    """The images that failed in some file and have a record in none."""
    found: dict[int, Failure] = {}
    done: set[int] = set()
    for path in paths:
        with _reading(path) as connection:
            if _tables(connection):
                found |= {row[0]: Failure(*row) for row in connection.execute("SELECT * FROM failures")}
                done.update(row[0] for row in connection.execute("SELECT image FROM images"))
    return [found[index] for index in sorted(found.keys() - done)]


def _connect(path: Path) -> sqlite3.Connection:
    with _naming(path):
        return sqlite3.connect(path, timeout=60, isolation_level=None)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = _connect(path)
    try:
        with _naming(path):
            yield connection
    finally:
        connection.close()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise InputError(
            f"{path} is not a sound file of results: {error}. Delete it to evaluate its images again"
        ) from error


def _tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'fingerprint'").fetchone())


def _row(record: Record) -> tuple[object, ...]:
    answers = [
        value
        for answer in (record.official, record.port)
        for value in (
            (json.dumps(answer.classes), json.dumps(answer.logits), *answer.margins)
            if answer
            else (None,) * len(ANSWER)
        )
    ]
    return record.index, record.name, record.label, *answers, record.difference, record.official_error


def _record(row: tuple[Any, ...]) -> Record:
    index, name, label, *values, difference, error = row
    return Record(index, name, label, _answer(*values[:4]), _answer(*values[4:]), difference, error)


def _answer(classes: str | None, logits: str, margin_1: float, margin_5: float) -> Answer | None:
    if classes is None:
        return None
    return Answer(tuple(json.loads(classes)), tuple(json.loads(logits)), (margin_1, margin_5))
