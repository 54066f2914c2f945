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
        """Return the file of image `index`; many threads may read at once. Raises InputError as `Place.read`."""
        return self.places[index].read()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the names and classes: the same for the same images in any layout."""
        lines = "".join(f"{image.name} {image.wnid}\n" for image in self.images)
        # A file's name may have bytes that are no text; fsencode gives them back, where encode would fail.
        return hashlib.sha256(os.fsencode(lines)).hexdigest()


def open_dataset(path: Path, devkit: Path | None = None) -> Dataset:
    """Open the images at `path`, in whichever layout, in the order of their names.

    The development kit is looked for beside them unless its place `devkit` is given. Raises InputError if the layout is
    not known, or if anything in it is missing, damaged or contradictory.
    """
    # The kit is opened only where the layout needs it: class folders and shards tell the classes themselves.
    open_kit = partial(open_devkit, devkit, _beside(path))
    listing = _list(path, open_kit)
    # By name, so that an image has the same index in every layout, and stored records hold for all of them.
    entries = sorted(listing.entries, key=lambda entry: entry.name)
    for first, second in pairwise(entries):
        if first.name == second.name:
            raise InputError(f"{first.name} is there twice: {first.place}, and {second.place}. Remove one of them")
    if not entries:
        raise InputError(f"{listing.path} ({listing.layout}) holds no images. Copy them there, or give another place")
    images = tuple(Image(entry.name, entry.wnid) for entry in entries)
    places = tuple(entry.place for entry in entries)
    return Dataset(listing.layout, listing.path, images, listing.notes, places)


def _beside(path: Path) -> tuple[Path, ...]:
    """Return where a development kit may lie: with the images, or in the folder that they are in."""
    absolute = Path(os.path.abspath(path))  # so that `.` has a parent
    folder = absolute if absolute.is_dir() else absolute.parent
    folders = (folder / "val", folder, folder.parent)
    return tuple(place for place in folders if place.is_dir())


def _list(path: Path, open_kit: OpenKit) -> Listing:
    """List the images at `path`, whose layout is told by what lies there. Raises InputError for no known layout."""
    if path.is_file():
        return list_tar(path, open_kit)
    if not path.exists():
        raise InputError(f"there is no {path}. {EXPECTED}")
    contents = children(path)
    if any(map(is_shard, contents)):
        return list_shards(path)
    if any(map(is_class_folder, contents)):
        return list_class_folders(path)
    if any(map(is_flat_image, contents)):
        return list_flat_images(path, open_kit)
    # The folder that the set is in may be named as well.
    for inner in (path / TAR_NAME, path / "val"):
        if inner.exists():
            return _list(inner, open_kit)
    names = few([child.name for child in contents]) or "nothing"
    raise InputError(f"{path} is no ImageNet validation set: found {names}. {EXPECTED}")


def deviations(dataset: Dataset) -> list[str]:
    """Return, in sentences, how the images differ from the full set of 50,000, 50 for each class.

    Empty if they do not.
    """
    sentences: list[str] = []
    if len(dataset.images) != FULL_SIZE:
        sentences.append(f"there are {len(dataset.images):,} images, not {FULL_SIZE:,}")
    counts = Counter(image.wnid for image in dataset.images)
    uneven = [f"{wnid} has {counts[wnid]:,}" for wnid in WNIDS if counts[wnid] != PER_CLASS]
    if uneven:
        sentences.append(f"{len(uneven):,} of the {len(WNIDS):,} classes have not {PER_CLASS} images: {few(uneven)}")
    return sentences
