"""The ImageNet (ILSVRC-2012) validation set, whatever the layout in which it lies."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

from parity.core.errors import InputError
from parity.imagenet.archive import TAR_NAME, list_tar
from parity.imagenet.devkit import KIT_NAMES, OpenKit, open_devkit
from parity.imagenet.folders import children, is_class_folder, is_flat_image, list_class_folders, list_flat_images
from parity.imagenet.labels import label_of
from parity.imagenet.listing import Listing, Place, few
from parity.imagenet.shards import is_shard, list_shards
from pnasnet_torch.classes import WNIDS

FULL_SIZE = 50_000
PER_CLASS = FULL_SIZE // len(WNIDS)
EXPECTED = f"""Expected one of these layouts:
  class folders     PATH/n01440764/*.JPEG
  flat folder       PATH/ILSVRC2012_val_00000001.JPEG and so on, and {KIT_NAMES[1]}
  tar               {TAR_NAME}, or the folder that it is in, and {KIT_NAMES[1]}
  TFRecord shards   PATH/validation-00000-of-00128 and so on"""


@dataclass(frozen=True)
class Image:
    """One image: its file's base name, and the WordNet id of its class."""

    name: str
    wnid: str

    @property
    def label(self) -> int:
        """The class, from 1 to 1000; slim's class 0 is the background."""
        return label_of(self.wnid)


@dataclass(frozen=True)
class Dataset:
    """The images by name, where each lies, and notes on files that were left aside."""

    layout: str
    path: Path
    images: tuple[Image, ...]
    notes: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()

    def read(self, index: int) -> bytes:
        """The file of image `index`; many threads may read at once. Raises InputError as `Place.read`."""
        return self.places[index].read()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names and classes: the same for the same images in any layout."""
        listed = "".join(f"{image.name} {image.wnid}\n" for image in self.images)
        return hashlib.sha256(os.fsencode(listed)).hexdigest()


def open_dataset(path: Path, devkit: Path | None = None) -> Dataset:
    """The images at `path`, in whichever layout; the development kit is looked for beside them unless it is given.

    Raises InputError if the layout is not known, or if anything in it is missing, damaged or contradictory.
    """
    listing = _list(path, partial(open_devkit, devkit, _beside(path)))
    entries = sorted(listing.entries, key=lambda entry: entry.name)
    for first, second in pairwise(entries):
        if first.name == second.name:
            raise InputError(f"{first.name} is there twice: {first.place}, and {second.place}. Remove one of them")
    if not entries:
        raise InputError(f"{listing.path} ({listing.layout}) holds no images. Copy them there, or give another place")
    images = tuple(Image(entry.name, entry.wnid) for entry in entries)
    return Dataset(listing.layout, listing.path, images, listing.notes, tuple(entry.place for entry in entries))


def _beside(path: Path) -> tuple[Path, ...]:
    """Where a development kit may lie: with the images, or in the folder that they are in."""
    whole = Path(os.path.abspath(path))  # so that `.` has a parent
    folder = whole if whole.is_dir() else whole.parent
    return tuple(place for place in (folder / "val", folder, folder.parent) if place.is_dir())


def _list(path: Path, open_kit: OpenKit) -> Listing:
    if path.is_file():
        return list_tar(path, open_kit)
    if not path.exists():
        raise InputError(f"there is no {path}. {EXPECTED}")
    found = children(path)
    if any(map(is_shard, found)):
        return list_shards(path)
    if any(map(is_class_folder, found)):
        return list_class_folders(path)
    if any(map(is_flat_image, found)):
        return list_flat_images(path, open_kit)
    for inner in (path / TAR_NAME, path / "val"):
        if inner.exists():
            return _list(inner, open_kit)
    names = few([child.name for child in found]) or "nothing"
    raise InputError(f"{path} is no ImageNet validation set: found {names}. {EXPECTED}")


def deviations(dataset: Dataset) -> list[str]:
    """In what the images differ from the full set of 50,000, 50 for each class, in sentences; nothing if in nothing."""
    found = []
    if len(dataset.images) != FULL_SIZE:
        found.append(f"there are {len(dataset.images):,} images, not {FULL_SIZE:,}")
    counts = Counter(image.wnid for image in dataset.images)
    other = [f"{wnid} has {counts[wnid]:,}" for wnid in WNIDS if counts[wnid] != PER_CLASS]
    if other:
        found.append(f"{len(other):,} of the {len(WNIDS):,} classes have not {PER_CLASS} images: {few(other)}")
    return found
