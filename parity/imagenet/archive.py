"""ILSVRC2012_img_val.tar as it is downloaded, not unpacked."""

import logging
import tarfile
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.imagenet.devkit import OpenKit
from parity.imagenet.listing import Entry, Listing, Place, ignored, is_image

TAR_NAME = "ILSVRC2012_img_val.tar"
logger = logging.getLogger(__name__)


def list_tar(path: Path, open_kit: OpenKit) -> Listing:
    """List the images of a tar, whose classes the development kit knows; their folders in it do not matter.

    Raises InputError if it is no sound, uncompressed tar, and as `Devkit.wnid_of`.
    """
    members = _members(path)
    kit = open_kit()
    entries: list[Entry] = []
    left_aside: list[str] = []
    for member in members:
        if member.isdir():
            continue
        name = PurePosixPath(member.name).name
        # A sparse member's bytes do not lie in one piece.
        if is_image(name) and member.isreg() and not member.issparse():
            place = Place(path, member.offset_data, member.size)
            entries.append(Entry(name, kit.wnid_of(name), place))
        else:
            left_aside.append(member.name)
    return Listing("tar", path, tuple(entries), ignored(left_aside))


def _members(path: Path) -> list[tarfile.TarInfo]:
    """Return all members of a tar. Raises InputError for one that is compressed, truncated or damaged."""
    logger.info("indexing %s", path)
    try:
        # Not compressed ("r:"), so that a member's offset is its place in the file, and images are read from there.
        with tarfile.open(path, "r:") as tar, path.open("rb") as file:
            members = tar.getmembers()
            file.seek(tar.offset)
            end = file.read(tarfile.BLOCKSIZE)
    except (tarfile.TarError, OSError) as error:
        raise InputError(
            f"{path} is no sound uncompressed tar ({path.stat().st_size:,} bytes): {error}. Expected {TAR_NAME} as it "
            "is downloaded; if this is it, it is truncated or damaged: copy it again"
        ) from error
    # tarfile takes damage between two members for the end, which a block of zeros marks.
    if end != bytes(tarfile.BLOCKSIZE):
        raise InputError(
            f"{path} is truncated or damaged at byte {tar.offset:,}, after {len(members):,} members: expected another "
            "member, or the mark of the end. Copy it again"
        )
    return members
