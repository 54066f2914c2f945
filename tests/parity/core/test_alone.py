"""A file that is added to is one process's at a time, and nothing of that is left."""

from pathlib import Path

import pytest

from parity.core.alone import alone
from parity.core.errors import InputError


def test_a_second_process_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mobile-224/worker-0-of-1.sqlite"
    with (
        alone(path),
        pytest.raises(InputError, match=r"another process writes .*sqlite: wait for it or stop it.* --output, or so$"),
        alone(path, ", or so"),
    ):
        pytest.fail("both hold the file")
    assert not list(tmp_path.iterdir())


def test_workers_do_not_disturb_each_other(tmp_path: Path) -> None:
    with alone(tmp_path / "worker-0-of-2.sqlite"), alone(tmp_path / "worker-1-of-2.sqlite"):
        (tmp_path / "worker-0-of-2.sqlite").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["worker-0-of-2.sqlite"]


def test_what_a_killed_process_left_stands_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / "worker-0-of-1.lock").touch()
    with alone(tmp_path / "worker-0-of-1.sqlite"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_lock: object, *_arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with (
        pytest.raises(InputError, match=r"cannot be locked: No locks available\. Give an --output on another disk"),
        alone(tmp_path / "mobile-224/worker-0-of-1.sqlite"),
    ):
        pytest.fail("it was not locked")
