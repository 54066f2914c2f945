"""Records on disk: they come back as they were, once each, and nothing foreign is mixed in."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from parity.imagenet.record import Answer, Failure, Record
from parity.imagenet.store import Store, read_failures, read_records, read_run, worker_files
from tests.waiting import run
from tf_reference.errors import InputError

FINGERPRINT = {"network": "mobile-224", "torch": "1"}
FIRST = Answer((7, 1, 2, 3, 4), (0.1 + 0.2, 1e-30, 0.0, -1.0, -2.0), (0.25, -3.5))
RECORDS = [
    Record(0, "a", 7, FIRST, replace(FIRST, margins=(0.5, 1.0)), 1e-5, 2e-6),
    Record(3, "b", 9, None, FIRST),
]


def store(path: Path, fingerprint: dict[str, str] = FINGERPRINT) -> Store:
    return Store(path, fingerprint, 10, "a machine")


def test_records_come_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "worker-0-of-1.sqlite"
    with closing(store(path)) as opened:
        opened.add(RECORDS, [Failure(5, "c", "is broken")])
    assert list(read_records([path])) == RECORDS
    assert read_failures([path]) == [Failure(5, "c", "is broken")]
    assert read_run(path) == (10, "a machine")


def test_an_image_in_two_files_or_written_twice_counts_once(tmp_path: Path) -> None:
    for name in ("worker-0-of-2.sqlite", "worker-1-of-2.sqlite"):
        for _ in range(2):
            with closing(store(tmp_path / name)) as opened:
                opened.add(RECORDS, [])
    assert list(read_records(worker_files(tmp_path))) == RECORDS


def test_a_file_that_was_mended_has_not_failed(tmp_path: Path) -> None:
    first, second = tmp_path / "worker-0-of-2.sqlite", tmp_path / "worker-1-of-2.sqlite"
    with closing(store(first)) as opened:
        opened.add([], [Failure(0, "a", "is broken"), Failure(4, "d", "is broken")])
    with closing(store(second)) as opened:
        opened.add(RECORDS, [])
    assert [failure.index for failure in read_failures([first, second])] == [4]


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "worker-0-of-1.sqlite"
    with closing(store(path)) as opened:
        opened.add(RECORDS[:1], [])
        with pytest.raises(sqlite3.Error):
            opened.add([RECORDS[1], replace(RECORDS[1], index=object())], [])  # type: ignore[arg-type]
    assert list(read_records([path])) == RECORDS[:1]


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has such: on a disk, most kills fall into the wait for it."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


def test_killed_at_any_moment_it_holds_whole_batches_each_once(in_memory: Path) -> None:
    """What was said to be stored is there, what was not is there wholly or not at all, and the next worker goes on."""
    code, said = run(sys.executable, "-m", "tests.parity.imagenet.killing", in_memory)
    assert code == 0, said
    assert "96 workers were killed" in said


def test_another_fingerprint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "worker-0-of-1.sqlite"
    store(path).close()
    with pytest.raises(InputError, match=r"not mixed:\n  torch: 1 there, 2 now\nGive another --output") as caught:
        store(path, FINGERPRINT | {"torch": "2"})
    assert str(path) in str(caught.value)


def test_a_worker_that_was_stopped_before_it_wrote_anything(tmp_path: Path) -> None:
    path = tmp_path / "worker-0-of-1.sqlite"
    path.touch()
    assert list(read_records([path])) == []
    assert read_run(path) is None
    store(path).close()
    assert read_run(path) == (10, "a machine")


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "worker-0-of-1.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match=r"worker-0-of-1\.sqlite: .*it is no file of results\. Move it elsewhere"):
        store(path)
