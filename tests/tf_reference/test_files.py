"""Files appear whole or not at all, and where they cannot, the system's reason and what helps are said."""

import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.limits import file_size_limit
from tf_reference.errors import InputError
from tf_reference.files import check_room, check_writable, reason, replacing, staging

NAME = f".{'0' * 32}.partial"


def write(target: Path, text: str = "new") -> None:
    with replacing(target) as temporary:
        temporary.write_text(text)


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    write(tmp_path / "deep/a", "old")
    write(tmp_path / "deep/a")
    assert (tmp_path / "deep/a").read_text() == "new"
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "a"]


def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def stopped(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a") as temporary:
        stopped(temporary)
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").symlink_to("folder/b")
    write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "folder/b").read_text() == "new"


@pytest.mark.parametrize(
    ("number", "helps"),
    [
        (errno.ENOSPC, "make room on that disk, or name another folder"),
        (errno.EROFS, "name another folder"),
        (errno.EACCES, "get the right to write there, or name another folder"),
        (errno.EMFILE, r"raise the limit on open files \(ulimit -n\)"),
        (errno.ENOLCK, "its file system has no file locks, name another folder"),
        (errno.EIO, "the disk or the way to it fails, name another folder"),
        (errno.ENXIO, "$"),
    ],
)
def test_the_systems_reason_is_passed_on(number: int, helps: str, tmp_path: Path) -> None:
    said = f"a cannot be written: {os.strerror(number)}{'' if helps == '$' else ': '}{helps}"
    with pytest.raises(InputError, match=said), replacing(tmp_path / "a"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_a_reason_is_found_among_the_words_of_a_library() -> None:
    assert reason("/x/o.ckpt.data; File too large [Op:SaveV2]").startswith("File too large: raise the limit")
    assert reason("{{node SaveV2}} /x/o.ckpt; Input/output error").startswith("Input/output error: the disk")
    assert reason("words of another kind") == "words of another kind"


def test_a_full_disk(tmp_path: Path) -> None:
    with file_size_limit(10), pytest.raises(InputError, match="a cannot be written: File too large: raise the limit"):
        write(tmp_path / "a", "x" * 100)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_device_are_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: Is a directory: name a file"):
        write(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe cannot be written: it is no file, but a device or a pipe"):
        write(tmp_path / "pipe")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    process = os.fork()
    if not process:
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert len(list(tmp_path.iterdir())) == 1
    write(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(("age", "left"), [(0, 1), (7200, 0)])
def test_an_empty_one_may_be_new(tmp_path: Path, age: int, left: int) -> None:
    """Then its process has not locked it yet."""
    (tmp_path / NAME).mkdir()
    os.utime(tmp_path / NAME, (time.time() - age,) * 2)
    with staging(tmp_path):
        pass
    assert len(list(tmp_path.iterdir())) == left


def test_what_a_living_process_writes_is_left(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("slowly")
        write(tmp_path / "b")
    assert (tmp_path / "a").read_text() == "slowly"


def test_what_is_none_of_ours_is_left(tmp_path: Path) -> None:
    for name in (".mine.partial", f".{'0' * 32}", f"{'0' * 32}.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").touch()
    write(tmp_path / "b")
    assert len(list(tmp_path.iterdir())) == 4


def test_where_there_are_no_locks_nothing_of_others_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "a").touch()
    with staging(tmp_path) as stage:
        assert stage.is_dir()
    assert (tmp_path / NAME / "a").exists()


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "not/yet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/deep cannot be written: .*a part of its path is a file"):
        check_writable(tmp_path / "file/deep")
    with pytest.raises(InputError, match="/proc/none cannot be written"):
        check_writable(Path("/proc/none"))


def test_room_is_looked_for_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path / "new/folder", 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=2_000_000))
    with pytest.raises(InputError, match="new cannot be written: No space left on device: make room on that disk"):
        check_room(tmp_path / "new", 50_000_000)
    assert list(tmp_path.iterdir()) == []
