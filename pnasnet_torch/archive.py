"""Folders and archives of weights. An archive is read in memory, and never unpacked."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase, BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pnasnet_torch.checkpoint import Files
from pnasnet_torch.content import Kind
from pnasnet_torch.errors import WeightsError

# Bytes in all. PNASNet-5's larger checkpoint has 345 million; an archive may swell to anything when unpacked.
LIMIT = 2**31
# SavedModels keep their variables in a folder of this name, beside a file of this name.
VARIABLES, GRAPH = "variables", "saved_model.pb"
DECOMPRESSORS: dict[Kind, Callable[[BinaryIO], BufferedIOBase]] = {
    Kind.GZIP: lambda file: gzip.GzipFile(fileobj=file),
    Kind.BZIP2: bz2.BZ2File,
    Kind.XZ: lzma.LZMAFile,
}
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError)


def folder_files(folder: Path) -> Files:
    """Return the files in a folder; those of a SavedModel's variables, too. A folder that is not there has none."""
    names = []
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if GRAPH in names and (folder / VARIABLES).is_dir():
        names += sorted(f"{VARIABLES}/{path.name}" for path in (folder / VARIABLES).iterdir())
    return Files(str(folder), names, lambda name: open(folder / name, "rb"), folder)


def decompressed(path: str, kind: Kind, file: BinaryIO) -> BinaryIO:
    """Return what is compressed in `file`. Raise WeightsError, calling it `path`, if it is damaged or too large."""
    # To its end, where its checksum stands.
    with _whole(path, kind), DECOMPRESSORS[kind](file) as stream:
        content = stream.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise WeightsError(f"{path} is refused: it holds more than {LIMIT:,} bytes")
    return BytesIO(content)


def archive_files(path: str, kind: Kind, file: BinaryIO) -> Files:
    """Return the files of a tar or zip archive, called `path`, which are read at once.

    Raise WeightsError if it is damaged, or holds what no archive of weights needs: links, devices, names that lead out
    of it, two files of one name.
    """
    members = _tar_members(file) if kind is Kind.TAR else _zip_members(file)
    contents: dict[str, bytes] = {}
    size = 0
    with _whole(path, kind):
        for name, member_size, stream in members:
            size += member_size
            problem = _problem(name, stream is None, size, contents)
            if problem:
                raise WeightsError(f"{path} is refused: its member {name!r} {problem}")
            assert stream is not None
            # Without what two spellings of one name differ in, such as `./` at its beginning.
            contents[str(PurePosixPath(name))] = stream.read()
    return Files(path, contents, lambda name: BytesIO(contents[name]))


@contextmanager
def _whole(path: str, kind: Kind) -> Iterator[None]:
    """Turn what a library says of damage into a WeightsError; what the system says is left as it is."""
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise WeightsError(f"{path} is cut short or damaged ({kind.value}): {error}. Copy it again") from error


# A member's name, its size in bytes, and its content; None for what is no file.
Member = tuple[str, int, BinaryIO | None]


def _tar_members(file: BinaryIO) -> Iterator[Member]:
    """Yield the members of a tar archive, without its folders."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            stream = archive.extractfile(member) if member.isfile() else None
            yield member.name, member.size, stream  # type: ignore[misc]


def _zip_members(file: BinaryIO) -> Iterator[Member]:
    """Yield the members of a zip archive, without its folders."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, archive.open(member)  # type: ignore[misc]


def _problem(name: str, is_no_file: bool, size: int, contents: dict[str, bytes]) -> str:
    """Return why a member is refused; empty if it is not. `size` (bytes) is that of all members so far."""
    path = PurePosixPath(name)
    if is_no_file:
        return "is a link or a device, not a file"
    # A backslash leads out as well where it parts folders.
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return "lies outside of the archive"
    if str(path) in contents:
        return "is there twice"
    if size > LIMIT:
        return f"makes it larger than {LIMIT:,} bytes"
    return ""
