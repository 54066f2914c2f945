"""Whether results can be written is found out first, and one process writes them at a time."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from parity.imagenet.output import check_file
from tf_reference.errors import InputError

FILE = Path("mobile-224") / "worker-0-of-1.sqlite"


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    check_file(tmp_path / "new" / FILE, 50_000)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(
        InputError, match=r"mobile-224 cannot be written: (Not a directory|File exists): a part of its path is a file"
    ):
        check_file(tmp_path / "results" / FILE, 1)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(parents=True)
    with pytest.raises(InputError, match=r"worker-0-of-1.sqlite is a folder: expected a file of results"):
        check_file(tmp_path / FILE, 1)


def test_a_file_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write everything, as in a container, cannot be refused: the fault is planted in the question."""
    (tmp_path / FILE.parent).mkdir()
    (tmp_path / FILE).touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=r"worker-0-of-1\.sqlite cannot be written: Permission denied: get the right"):
        check_file(tmp_path / FILE, 1)


def test_a_disk_without_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1_000_000))
    check_file(tmp_path / FILE, 1_000)
    with pytest.raises(InputError, match=r"mobile-224 cannot be written: No space left on device: make room"):
        check_file(tmp_path / FILE, 50_000)


def test_what_is_stored_already_needs_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE.parent).mkdir()
    (tmp_path / FILE).touch()
    os.truncate(tmp_path / FILE, 30_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1_000_000))
    check_file(tmp_path / FILE, 50_000)


def test_a_limit_on_the_size_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (8192, resource.RLIM_INFINITY))
    with pytest.raises(InputError, match=r"mobile-224 cannot be written: File too large: raise the limit .*ulimit -f"):
        check_file(tmp_path / FILE, 1)
