"""Files appear all or none, and what they replace comes back where that fails."""

import os
import signal
from pathlib import Path

import pytest

from parity.convert.placing import place
from parity.core.files import staging


def contents(folder: Path) -> dict[str, str]:
    """Return what each file of the folder holds."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def staged(stage: Path, *names: str) -> list[str]:
    """Write new files in the stage, and return their names."""
    for name in names:
        (stage / name).write_text(f"new {name}")
    return [*names]


@pytest.mark.parametrize("names", [["a"], ["data", "index"]], ids=str)
def test_files_are_put_in_place(names: list[str], tmp_path: Path) -> None:
    with staging(tmp_path) as stage:
        place(stage, staged(stage, *names), [])
    assert contents(tmp_path) == {name: f"new {name}" for name in names}
    assert len(list(tmp_path.iterdir())) == len(names)


@pytest.mark.parametrize("old", [["a"], ["a", "b"], ["a.old"]], ids=str)
@pytest.mark.parametrize("new", [["a"], ["a", "b"]], ids=str)
def test_what_is_replaced_is_gone(old: list[str], new: list[str], tmp_path: Path) -> None:
    """Files beside it that nobody named stay."""
    for name in (*old, "other"):
        (tmp_path / name).write_text("old")
    with staging(tmp_path) as stage:
        place(stage, staged(stage, *new), [tmp_path / name for name in old])
    assert contents(tmp_path) == {"other": "old"} | {name: f"new {name}" for name in new}


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["b", "a"]], ids=str)
def test_what_was_there_comes_back(names: list[str], tmp_path: Path) -> None:
    """The last file cannot be moved: a folder of that name is in the way."""
    for name in names[:-1]:
        (tmp_path / name).write_text("old")
    (tmp_path / names[-1]).mkdir()
    with pytest.raises(OSError, match="directory"), staging(tmp_path) as stage:
        place(stage, staged(stage, *names), [tmp_path / name for name in names[:-1]])
    assert contents(tmp_path) == dict.fromkeys(names[:-1], "old")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_old_files_outlast_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set aside, they are not removed with what else a killed conversion left."""
    (tmp_path / "index").write_text("old")
    stage = tmp_path / f".{'0' * 32}.partial"
    stage.mkdir()
    monkeypatch.setattr(Path, "replace", lambda _path, _target: os.kill(os.getpid(), signal.SIGKILL))
    process = os.fork()
    if not process:
        place(stage, staged(stage, "data", "index"), [tmp_path / "index"])
    os.waitpid(process, 0)
    with staging(tmp_path):
        pass
    assert [path.read_text() for path in tmp_path.rglob("index")] == ["old"]


def test_one_file_that_takes_the_place_of_one_is_never_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is not set aside."""
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(Path, "rename", None)
    with staging(tmp_path) as stage:
        place(stage, staged(stage, "a"), [tmp_path / "a"])
    assert contents(tmp_path) == {"a": "new a"}
