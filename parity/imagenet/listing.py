"""What every layout comes to: images, what tells the class of each, and where its bytes lie."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.core.files import printable, reading
from parity.core.words import few
from parity.imagenet.labels import LABELS

IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
OFFICIAL_NAME = re.compile(r"ILSVRC2012_val_\d{8}\.(jpeg|jpg|png)", re.IGNORECASE)
# As Hugging Face calls an image: its own name, then its class.
NAME_WITH_CLASS = re.compile(r"(.+)_(n\d{8})(\.\w+)")


@dataclass(frozen=True)
class Place:
    """Where an image's bytes lie: `length` bytes of a file from `offset` on, or (-1) all of them."""

    path: Path
    offset: int = 0
    length: int = -1

    def __str__(self) -> str:
        return str(self.path) if self.length < 0 else f"{self.path} at byte {self.offset:,}"

    def read(self) -> bytes:
        """Return the bytes; many threads may read at once.

        Raises InputError if the file cannot be read, or is shorter than it was.
        """
        # A file object for each read: threads share no position, and nothing is left open.
        with reading(self.path), self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.length)
        # A file that is an image as a whole (length -1) may be of any length.
        if 0 <= self.length != len(content):
            raise InputError(
                f"{self}: found {len(content):,} bytes of an image, expected {self.length:,}. "
                "The file has changed since its images were listed: start again"
            )
        return content


@dataclass(frozen=True)
class Entry:
    """One image: its name, its path within the layout, its place, and the WordNet ids of its class, by what tells each.

    The name is the same in every layout: the file's own, without folders and without a class in it.
    """

    name: str
    path: str
    place: Place
    told: Mapping[str, str]

    @property
    def wnid(self) -> str:
        """The class, which all that tells it agrees on once the entry is classified."""
        return next(iter(self.told.values()))


def entry_at(path: str, place: Place, told: Mapping[str, str] | None = None) -> Entry:
    """Return the entry of an image, whose file's name may tell its class, besides what is `told`."""
    path = printable(path)
    name = PurePosixPath(path).name
    classes = dict(told or {})
    match = NAME_WITH_CLASS.fullmatch(name)
    if match and match[2] in LABELS:
        classes["its name"] = match[2]
        name = match[1] + match[3]
    return Entry(name, path, place, classes)


@dataclass(frozen=True)
class Listing:
    """The images of one layout, in any order, and notes on what was left aside."""

    layout: str
    path: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def is_hidden(name: str) -> bool:
    """Tell whether a file of this base name is hidden, as what macOS leaves beside files is."""
    return name.startswith(".")


def is_image(name: str) -> bool:
    """Tell whether a file of this base name is taken for an image."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not is_hidden(name)


def ignored(names: Iterable[str]) -> tuple[str, ...]:
    """Return notes that name the files, by path, that a layout has no use for; none for no files."""
    names_by_kind: dict[str, list[str]] = {}
    for name in names:
        base = name.rpartition("/")[2]
        if is_hidden(base):
            kind = "hidden"
        elif is_image(base):  # such as a link in a tar
            kind = "out of place"
        else:
            kind = "no image"
        names_by_kind.setdefault(kind, []).append(printable(name))
    return tuple(f"ignored as {kind}: {few(same_kind)}" for kind, same_kind in sorted(names_by_kind.items()))
