"""What stands in the way of a file of results is said by name, and what is sound is never to be deleted."""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from parity.imagenet import sqlite
from parity.imagenet.record import Record
from parity.imagenet.store import Store, read_records, worker_files
from tests.waiting import run
from tf_reference.errors import InputError

# Ends within a transaction of which a part is in the file already.
HALF_A_BATCH = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
for number in range(100):
    connection.execute("INSERT INTO failures VALUES (?, ?, '')", (number, "n" * 4000))
os._exit(9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of results with one image."""
    path = tmp_path / "worker-0-of-1.sqlite"
    with closing(store(path)) as opened:
        opened.add([Record(0, "a", 7)], [])
    return path


def store(path: Path) -> Store:
    return Store(path, {"network": "mobile-224"}, 10, "a machine")


@pytest.fixture
def read_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Open files as where nothing may be written: whoever may write everything, as in a container, needs this."""

    def connect(path: Path, **options: object) -> sqlite3.Connection:
        return real(f"file:{path}?mode=ro", uri=True, **options)  # type: ignore[call-overload]

    real = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", connect)
    return path


def test_a_file_that_another_process_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(store(path)) as opened:
        other.execute("BEGIN EXCLUSIVE")
        for use in (lambda: store(path), lambda: opened.add([Record(1, "b", 7)], []), lambda: [*read_records([path])]):
            with pytest.raises(InputError, match=r"1\.sqlite: database is locked; another process .* is stored stays$"):
                use()
    assert list(read_records([path])) == [Record(0, "a", 7)]


def test_a_file_that_may_not_be_written(read_only: Path) -> None:
    assert list(read_records([read_only])) == [Record(0, "a", 7)]
    with pytest.raises(
        InputError, match=r"1\.sqlite: .* readonly .*; it, or its folder, cannot be written\. Make both"
    ):
        store(read_only)


def test_half_a_batch_where_nothing_may_be_written(read_only: Path) -> None:
    assert subprocess.run([sys.executable, "-c", HALF_A_BATCH, read_only], check=False).returncode == 9
    assert read_only.with_name(read_only.name + "-journal").exists()
    with pytest.raises(InputError, match=r"a worker was killed within a batch.* Make the file and its folder writable"):
        list(read_records([read_only]))


def test_half_a_batch_is_undone_where_that_may_be_written(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", HALF_A_BATCH, path], check=False).returncode == 9
    assert list(read_records([path])) == [Record(0, "a", 7)]


def test_no_space_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(store(path)) as opened:
        opened._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(InputError, match=r"1\.sqlite: database or disk is full; no space .* what is stored stays$"):
            opened.add([Record(number, "n" * 400, 7) for number in range(100)], [])
    assert list(read_records([path])) == [Record(0, "a", 7)]


@pytest.fixture
def small_files(path: Path) -> Iterator[None]:
    """Let no file grow beyond what the results take now, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_the_system_refuses_to_write(path: Path) -> None:
    with closing(store(path)) as opened:
        for _ in range(2):
            with pytest.raises(InputError, match=r"1\.sqlite: disk I/O error; .*\(ulimit -f\).* what is stored stays$"):
                opened.add([Record(number, "n" * 400, 7) for number in range(100)], [])
    assert list(read_records([path])) == [Record(0, "a", 7)]


def test_damage_is_called_so_where_it_was_seen(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"x" * len(content[4096:])
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"1\.sqlite: .*; it is damaged\. Move it elsewhere"):
        list(read_records([path]))


def test_other_tables_than_results(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DROP TABLE images")
    with pytest.raises(InputError, match=r"no such table: images; the evaluation cannot use it as it is\. Move it"):
        list(read_records([path]))


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unable to open database file; Is a directory\. Mend that"):
        store(tmp_path)


def test_a_folder_of_results_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for one in which nothing is stored yet."""

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InputError, match=r"the folder .* cannot be read: Permission denied"):
        worker_files(tmp_path)


def test_a_fault_of_the_program_is_none_of_the_file(path: Path) -> None:
    with closing(store(path)) as opened, pytest.raises(sqlite3.Error):
        opened.add([Record(object(), "a", 7)], [])  # type: ignore[arg-type]


def test_two_readers_at_a_time(path: Path) -> None:
    """As `pnasnet-parity imagenet report` while workers write."""
    code = "import sys; from pathlib import Path; from parity.imagenet.store import read_records; "
    code += "print(len(list(read_records([Path(sys.argv[1])]))))"
    with closing(store(path)) as opened:
        records = read_records([path])
        next(records)
        assert run(sys.executable, "-c", code, path) == (0, "1\n")
        records.close()  # type: ignore[attr-defined]
        opened.add([Record(1, "b", 7)], [])
