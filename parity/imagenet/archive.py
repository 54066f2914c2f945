"""ILSVRC2012_img_val.tar as it is downloaded, not unpacked."""

import logging
import tarfile
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.core.files import reading
from parity.core.words import few
from parity.imagenet.labels import LABELS
from parity.imagenet.listing import Entry, Listing, Place, entry_at, ignored, is_image

TAR_NAME = "ILSVRC2012_img_val.tar"
# How a compressed file begins, and what unpacks it.
COMPRESSED = {
    b"\x1f\x8b": "gzip -dc",
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ\0": "xz -dc",
    b"\x28\xb5\x2f\xfd": "zstd -dc",
    b"PK\3\4": "unzip -p",
}
# A tar's first member has this mark here.
MARK = b"ustar"
MARK_OFFSET = 257
logger = logging.getLogger(__name__)


def list_tar(path: Path) -> Listing:
    """List the images of a tar; of their folders in it, only those that are called as a class is matter.

    Raises InputError if it is no sound, uncompressed tar.
    """
    entries: list[Entry] = []
    left_aside: list[str] = []
    for member in _members(path):
        if member.isdir():
            continue
        inner = PurePosixPath(member.name)
        # A sparse member's bytes do not lie in one piece.
        if is_image(inner.name) and member.isreg() and not member.issparse():
            told = {"its folder": inner.parent.name} if inner.parent.name in LABELS else {}
            entries.append(entry_at(member.name, Place(path, member.offset_data, member.size), told))
        else:
            left_aside.append(member.name)
    if not entries and left_aside:
        raise InputError(f"{path} holds no images: found {few(left_aside)}. Expected {TAR_NAME} as it is downloaded")
    return Listing("tar", path, tuple(entries), ignored(left_aside))


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, by which one is told from others. Raises InputError if it cannot be read."""
    with reading(path), path.open("rb") as file:
        return file.read(tarfile.BLOCKSIZE)


def refuse_compressed(path: Path) -> None:
    """Raise InputError for a file that is compressed, in which images have no places that they could be read at."""
    head = head_of(path)
    for mark, command in COMPRESSED.items():
        if head.startswith(mark):
            raise InputError(
                f"{path} is compressed, and no image could be read without all before it: unpack it, as by "
                f"`{command} {path} > FILE`, and give what comes out"
            )


def _members(path: Path) -> list[tarfile.TarInfo]:
    """Return all members of a tar. Raises InputError for one that is compressed, truncated or damaged."""
    refuse_compressed(path)
    logger.info("indexing %s", path)
    size = path.stat().st_size
    try:
        # Not compressed ("r:"), so that a member's offset is its place in the file, and images are read from there.
        with reading(path), tarfile.open(path, "r:") as tar, path.open("rb") as file:
            members = tar.getmembers()
            file.seek(tar.offset)
            end = file.read(tarfile.BLOCKSIZE)
    except tarfile.TarError as error:
        head = head_of(path)
        if len(head) == tarfile.BLOCKSIZE and head[MARK_OFFSET : MARK_OFFSET + len(MARK)] != MARK:
            raise InputError(
                f"{path} is no tar: it begins with {head[:16]!r}. Expected {TAR_NAME}, or the folder that images or "
                "shards are in"
            ) from error
        raise InputError(f"{path} is truncated or damaged ({size:,} bytes): {error}. Copy it again") from error
    # tarfile takes damage between two members for the end, which a block of zeros marks.
    if end != bytes(tarfile.BLOCKSIZE):
        raise InputError(
            f"{path} is truncated or damaged at byte {tar.offset:,}, after {len(members):,} members: expected another "
            "member, or the mark of the end. Copy it again"
        )
    return members
