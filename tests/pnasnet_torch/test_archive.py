"""Archives are read in memory, and what would lead out of them is refused."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pnasnet_torch import archive
from pnasnet_torch.archive import DECOMPRESSORS, archive_files, decompressed
from pnasnet_torch.checkpoint import Files
from pnasnet_torch.content import Kind, kind_of
from pnasnet_torch.errors import WeightsError


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 3) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size if kind == tarfile.REGTYPE else 0
    return made


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    def write(*members: tarfile.TarInfo, mode: str = "w:gz", name: str = "weights.tar.gz") -> Path:
        with tarfile.open(tmp_path / name, mode) as made:  # type: ignore[call-overload]
            for one in members:
                made.addfile(one, io.BytesIO(b"abc") if one.isfile() else None)
        return tmp_path / name

    return write


def open_archive(path: Path) -> Files:
    """Open an archive, compressed or not, as its first bytes tell."""
    with open(path, "rb") as file:
        kind = kind_of(str(path), file)
        if kind not in DECOMPRESSORS:
            return archive_files(str(path), kind, file)
        content = decompressed(str(path), kind, file)
    return archive_files(str(path), kind_of(str(path), content), content)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_of_an_archive(pack: Callable[..., Path], mode: str) -> None:
    path = pack(member("deep", tarfile.DIRTYPE), member("./deep/model.ckpt.index"), mode=mode, name="download")
    files = open_archive(path)
    assert list(files.names) == ["deep/model.ckpt.index"]
    assert bytes(files.read("deep/model.ckpt.index")) == b"abc"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (member("/etc/passwd"), "lies outside"),
        (member("../model.ckpt.index"), "lies outside"),
        (member("deep/../../model.ckpt.index"), "lies outside"),
        (member("..\\model.ckpt.index"), "lies outside"),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
        (member("link", tarfile.LNKTYPE, "good"), "is a link or a device"),
        (member("device", tarfile.CHRTYPE), "is a link or a device"),
        (member("pipe", tarfile.FIFOTYPE), "is a link or a device"),
        (member("good"), "is there twice"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_member_that_no_archive_of_weights_needs(
    pack: Callable[..., Path], bad: tarfile.TarInfo, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=problem) as caught:
        open_archive(pack(member("good"), bad))
    assert repr(bad.name) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.tar.gz"]


def test_an_archive_that_swells_is_refused(pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LIMIT", 5)
    with pytest.raises(WeightsError, match="makes it larger than 5 bytes"):
        open_archive(pack(member("one"), member("two"), mode="w"))


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_archive(pack: Callable[..., Path], kept: float) -> None:
    path = pack(member("one"), member("two"))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(WeightsError, match=r"weights\.tar\.gz is cut short or damaged \(gzip\)"):
        open_archive(path)


def test_a_zip_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/", "")
        archive.writestr("deep/model.h5", "abc")
    files = open_archive(tmp_path / "a.zip")
    assert {name: bytes(files.read(name)) for name in files.names} == {"deep/model.h5": b"abc"}
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("../model.h5", "abc")
    with pytest.raises(WeightsError, match="lies outside of the archive"):
        open_archive(tmp_path / "a.zip")


def test_what_swells_when_it_is_unpacked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LIMIT", 5)
    with pytest.raises(WeightsError, match=r"a\.h5\.gz is refused: it holds more than 5 bytes"):
        decompressed("a.h5.gz", Kind.GZIP, io.BytesIO(gzip.compress(bytes(6))))
