"""Records on disk: SQLite, one file a worker, one transaction a batch. A file of another fingerprint is refused."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.imagenet.folders import children
from parity.imagenet.record import Answer, Failure, Record
from parity.imagenet.sqlite import connect, naming, reading

# What is stored of one side's answer; a side that was not run has NULL there.
ANSWER = ("classes", "logits", "margin_1", "margin_5")
OFFICIAL_COLUMNS = tuple(f"official_{part}" for part in ANSWER)
PORT_COLUMNS = tuple(f"port_{part}" for part in ANSWER)
COLUMNS = ("image", "name", "label", *OFFICIAL_COLUMNS, *PORT_COLUMNS, "logit_difference", "official_error")
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
        self._path = path
        self._connection = connect(path)
        # Tables and fingerprint in one transaction, so that no file has the first without the second.
        with self._transaction():
            if not _has_tables(self._connection):
                for statement in SCHEMA:
                    self._connection.execute(statement)
                self._connection.executemany("INSERT INTO fingerprint VALUES (?, ?)", fingerprint.items())
        check_fingerprint(path, read_fingerprint(path), fingerprint)
        with self._transaction():
            self._connection.execute("DELETE FROM run")
            self._connection.execute("INSERT INTO run VALUES (?, ?)", (images, machine))

    def add(self, records: Iterable[Record], failures: Iterable[Failure]) -> None:
        """Write a batch, all of it or nothing; an image that failed before and has a record now has not failed."""
        marks = ", ".join("?" * len(COLUMNS))
        record_rows = [_row(record) for record in records]
        recorded_indices = [row[:1] for row in record_rows]
        failure_rows = [(failure.index, failure.name, failure.problem) for failure in failures]
        with self._transaction():
            self._connection.executemany(f"INSERT OR REPLACE INTO images VALUES ({marks})", record_rows)
            self._connection.executemany("DELETE FROM failures WHERE image = ?", recorded_indices)
            self._connection.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", failure_rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all that is executed meanwhile, or nothing of it where an error is raised."""
        with naming(self._path):
            # The lock is taken at once: SQLite may refuse it to a transaction that has read before it writes.
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield


def worker_files(folder: Path) -> list[Path]:
    """Return the workers' files in `folder`, whoever wrote them. Raises InputError if it cannot be read."""
    if not folder.is_dir():
        return []
    return [Path(child.path) for child in children(folder) if fnmatch(child.name, "worker-*.sqlite")]


def read_fingerprint(path: Path) -> dict[str, str]:
    """Return what the file's records depend on; empty where a worker was stopped before it wrote anything."""
    with reading(path) as connection:
        if not _has_tables(connection):
            return {}
        return dict(connection.execute("SELECT key, value FROM fingerprint"))


def read_run(path: Path) -> tuple[int, str] | None:
    """Return how many images the worker's latest run was over, and on what machine; None where nothing is written."""
    with reading(path) as connection:
        if not _has_tables(connection):
            return None
        row = connection.execute("SELECT images, machine FROM run").fetchone()
    return None if row is None else (row[0], row[1])


def check_fingerprint(path: Path, stored: Fingerprint, expected: Fingerprint) -> None:
    """Raise InputError, with a list of what differs, unless both fingerprints are the same."""
    differences: list[str] = []
    for key in {**expected, **stored}:
        if stored.get(key) != expected.get(key):
            difference = f"{key}: {stored.get(key, 'none')} there, {expected.get(key, 'none')} now"
            differences.append(difference)
    if differences:
        listed = "\n  ".join(differences)
        raise InputError(
            f"{path} holds results of something else; they are not mixed:\n  {listed}\n"
            "Give another --output: those stay as they are"
        )


def read_records(paths: Iterable[Path]) -> Iterator[Record]:
    """Yield the records of all files, one at a time; an image that two files have comes once."""
    seen: set[int] = set()
    for path in paths:
        with reading(path) as connection:
            if not _has_tables(connection):
                continue
            for row in connection.execute("SELECT * FROM images ORDER BY image"):
                if row[0] not in seen:
                    seen.add(row[0])
                    yield _record(row)


def read_failures(paths: Iterable[Path]) -> list[Failure]:
    """Return the images that failed in some file and have a record in none."""
    failures: dict[int, Failure] = {}
    recorded: set[int] = set()
    for path in paths:
        with reading(path) as connection:
            if not _has_tables(connection):
                continue
            for row in connection.execute("SELECT * FROM failures"):
                failure = Failure(*row)
                failures[failure.index] = failure
            recorded.update(row[0] for row in connection.execute("SELECT image FROM images"))
    return [failures[index] for index in sorted(failures.keys() - recorded)]


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Tell whether anything was written: a worker that is stopped at its very start leaves an empty file."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'fingerprint'").fetchone())


def _row(record: Record) -> tuple[object, ...]:
    """Return a record in the order of COLUMNS."""
    official = _answer_row(record.official)
    port = _answer_row(record.port)
    return record.index, record.name, record.label, *official, *port, record.difference, record.official_error


def _answer_row(answer: Answer | None) -> tuple[object, ...]:
    """Return one side's answer in the order of its columns."""
    if answer is None:
        return (None,) * len(ANSWER)
    # JSON spells a float so that the same bits come back.
    return json.dumps(answer.classes), json.dumps(answer.logits), *answer.margins


def _record(row: tuple[Any, ...]) -> Record:
    """Return the record of a row in the order of COLUMNS."""
    index, name, label, *answers, difference, official_error = row
    official = _answer(*answers[: len(ANSWER)])
    port = _answer(*answers[len(ANSWER) :])
    return Record(index, name, label, official, port, difference, official_error)


def _answer(classes: str | None, logits: str, margin_1: float, margin_5: float) -> Answer | None:
    """Return one side's answer from its columns; None where it was not run."""
    if classes is None:
        return None
    return Answer(tuple(json.loads(classes)), tuple(json.loads(logits)), (margin_1, margin_5))
