"""Archives (.tar.gz) as released checkpoints are downloaded: read in memory, never unpacked."""

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from pnasnet_torch.checkpoint import Files
from pnasnet_torch.errors import WeightsError

SUFFIXES = (".tar.gz", ".tgz", ".tar")
# Bytes in all. PNASNet-5's larger checkpoint has 345 million; an archive may swell to anything when unpacked.
LIMIT = 2**31


def is_archive(path: Path) -> bool:
    """Return whether the file's name is that of an archive."""
    return path.name.endswith(SUFFIXES)


def open_archive(path: Path) -> Files:
    """Return the archive's files, which are read at once.

    Raise WeightsError if it is damaged, or holds what no archive of weights needs: links, devices, names that lead out
    of it, two files of one name.
    """
    contents: dict[str, memoryview] = {}
    size = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                size += member.size
                _check(path, member, contents, size)
                file = archive.extractfile(member)
                if file is not None:  # else it is a folder
                    contents[_name(member)] = memoryview(file.read())
            # The checksum of a compressed archive stands behind all that a reader of its members needs.
            while archive.fileobj and archive.fileobj.read(2**20):
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise WeightsError(f"{path} is not a sound archive: {error}. Download it again") from error
    return Files(str(path), contents, contents.__getitem__)


def _name(member: tarfile.TarInfo) -> str:
    """Return the member's name without what two spellings of one name differ in, such as `./` at its beginning."""
    return str(PurePosixPath(member.name))


def _check(path: Path, member: tarfile.TarInfo, contents: dict[str, memoryview], size: int) -> None:
    """Raise WeightsError for a member that no archive of weights needs; `size` is that of all members so far, bytes."""
    name = PurePosixPath(member.name)
    if not member.isfile() and not member.isdir():
        problem = "is a link or a device, not a file"
    # A backslash leads out as well where it parts folders.
    elif name.is_absolute() or ".." in name.parts or "\\" in member.name:
        problem = "lies outside of the archive"
    elif member.isfile() and _name(member) in contents:
        problem = "is there twice"
    elif size > LIMIT:
        problem = f"makes it larger than {LIMIT:,} bytes"
    else:
        return
    raise WeightsError(f"{path} is refused: its member {member.name!r} {problem}")
