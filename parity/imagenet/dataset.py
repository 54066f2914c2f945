"""The ImageNet (ILSVRC-2012) validation set, whatever the layout in which it lies."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from parity.core.errors import InputError
from parity.core.words import few
from parity.imagenet.annotations import Annotation, classify, find_annotations
from parity.imagenet.archive import TAR_NAME, list_tar
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.folders import children, classes_of_folders, is_flat_image, list_class_folders, list_flat_images
from parity.imagenet.labels import label_of
from parity.imagenet.listing import OFFICIAL_NAME, Entry, Listing, Place
from parity.imagenet.shards import is_shard, list_shards
from pnasnet_torch.classes import WNIDS

FULL_SIZE = 50_000
PER_CLASS = FULL_SIZE // len(WNIDS)
# Where the set may lie in the folder that is named; the last one is Kaggle's.
INNER = (TAR_NAME, "val", "validation", "val_images.tar.gz", "ILSVRC/Data/CLS-LOC/val")
# What may hold the set in a form that is not read: Hugging Face's, TFDS's newer one, LMDB, and archives.
UNREAD = re.compile(r"\.(parquet|arrow|array_record-.*|mdb|zip|tgz|tar(\.\w+)?)$")
EXPECTED = f"""Expected one of these layouts:
  class folders     PATH/n01440764/*.JPEG, or ImageNetV2's PATH/0/*.jpeg
  flat folder       PATH/ILSVRC2012_val_00000001.JPEG and {KIT_NAMES[1]}, LOC_val_solution.csv or val.txt
  tar               {TAR_NAME}, or the folder that it is in, and the same
  TFRecord shards   PATH/validation-00000-of-00128 and so on, or TFDS's"""


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
        return hashlib.sha256(lines.encode()).hexdigest()


def open_dataset(path: Path, devkit: Path | None = None) -> Dataset:
    """Open the images at `path`, in whichever layout, in the order of their names.

    The development kit, or a list of classes, is looked for beside them unless its place `devkit` is given. Raises
    InputError if the layout is not known, or if anything in it is missing, damaged or contradictory.
    """
    listing = _list(path)
    if not listing.entries:
        raise InputError(f"{listing.path} ({listing.layout}) holds no images. Copy them there, or give another place")
    notes = listing.notes
    annotations: list[Annotation] = []
    try:
        annotations = find_annotations(devkit, path)
    except InputError as error:
        # What merely lies beside, and is not needed, stops nothing.
        if devkit or not all(entry.told for entry in listing.entries):
            raise
        notes += (f"classes were not checked by what lies beside: {error}",)
    entries = _named_apart(classify(listing.entries, annotations, listing.path))
    _check_readable({entry.place.path for entry in entries})
    # By name, so that an image has the same index in every layout, and stored records hold for all of them.
    entries.sort(key=lambda entry: entry.name)
    for first, second in pairwise(entries):
        if first.name == second.name:
            raise InputError(
                f"{first.name} is there twice: {first.place}, and {second.place}. Expected each once: move one of them "
                "elsewhere, or convert the records again"
            )
    images = tuple(Image(entry.name, entry.wnid) for entry in entries)
    places = tuple(entry.place for entry in entries)
    return Dataset(listing.layout, listing.path, images, notes, places)


def _named_apart(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, those of one name told apart by path: several class folders may have a 1.jpg.

    An official name is that of one image wherever it lies, and stays.
    """
    counts = Counter(entry.name for entry in entries)
    named: list[Entry] = []
    for entry in entries:
        if counts[entry.name] > 1 and not OFFICIAL_NAME.fullmatch(entry.name):
            named.append(replace(entry, name=entry.path))
        else:
            named.append(entry)
    return named


def _check_readable(paths: Collection[Path]) -> None:
    """Raise InputError for files that cannot be read, which would cost their images hours later."""
    unreadable = sorted(str(path) for path in paths if not os.access(path, os.R_OK))
    if unreadable:
        raise InputError(
            f"{len(unreadable):,} of {len(paths):,} files cannot be read, for want of permission or as links that lead "
            f"nowhere: {few(unreadable)}. Make them readable, or move them elsewhere"
        )


def _list(path: Path) -> Listing:
    """List the images at `path`, whose layout is told by what lies there. Raises InputError for no known layout."""
    if path.is_file():
        return list_tar(path)
    if not path.exists():
        raise InputError(f"there is no {path}. {EXPECTED}")
    contents = children(path)
    if any(map(is_shard, contents)):
        return list_shards(path)
    classes = classes_of_folders(contents)
    if classes:
        return list_class_folders(path, classes)
    if any(map(is_flat_image, contents)):
        return list_flat_images(path)
    # The folder that the set is in may be named as well.
    for inner in INNER:
        if (path / inner).exists():
            return _list(path / inner)
    names = [child.name for child in contents]
    unread = [name for name in names if UNREAD.search(name)]
    advice = f" Unpack {few(unread)}, or write the images in it out as files." if unread else ""
    found = few(names) or "nothing"
    raise InputError(f"{path} is no ImageNet validation set: found {found}.{advice} {EXPECTED}")


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


def check_whole(dataset: Dataset) -> None:
    """Raise InputError, with all that differs, unless the images are the full set."""
    sentences = deviations(dataset)
    if sentences:
        listed = "\n  ".join(sentences)
        raise InputError(
            f"{dataset.path} ({dataset.layout}) is not the full validation set:\n  {listed}\n"
            "Complete it, or say --partial if that is what you mean to evaluate"
        )
