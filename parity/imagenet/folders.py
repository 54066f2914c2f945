"""Images as single files: one folder a class, or one folder for all."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from parity.core.errors import InputError
from parity.core.files import reading
from parity.imagenet.annotations import NAMES
from parity.imagenet.labels import LABELS
from parity.imagenet.listing import (
    NAME_WITH_CLASS,
    OFFICIAL_NAME,
    Entry,
    Listing,
    Place,
    entry_at,
    ignored,
    is_hidden,
    is_image,
)
from pnasnet_torch.classes import WNIDS


def children(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name. Raises InputError if the folder cannot be read."""
    # A scan knows files from folders without asking for each of 50,000.
    with reading(f"the folder {folder}"), os.scandir(folder) as scan:
        return sorted(scan, key=lambda child: child.name)


def classes_of_folders(contents: Sequence[os.DirEntry[str]]) -> dict[str, str]:
    """Return the classes of folders by their names: WordNet ids, or else ImageNetV2's numbers from 0 on."""
    names = [child.name for child in contents if child.is_dir()]
    by_wnid = {name: name for name in names if name in LABELS}
    if by_wnid:
        return by_wnid
    numbers = [name for name in names if name.isascii() and name.isdecimal() and int(name) < len(WNIDS)]
    return {name: WNIDS[int(name)] for name in numbers}


def list_class_folders(folder: Path, classes: Mapping[str, str]) -> Listing:
    """List the images of folders with these `classes`, by the folders' names.

    Raises InputError for a folder that is no class.
    """
    entries: list[Entry] = []
    left_aside: list[str] = []
    example = next(iter(classes))
    for child in children(folder):
        if child.name in NAMES:
            continue
        if is_hidden(child.name) or not child.is_dir():
            left_aside.append(child.name)
            continue
        if child.name not in classes:
            raise InputError(
                f"{folder} holds class folders such as {example}, but {child.name} is none of the 1,000 classes of "
                "ILSVRC-2012: expected WordNet ids, or numbers from 0 to 999. Move this folder elsewhere, or correct "
                "its name"
            )
        told = {f"its folder {child.name}": classes[child.name]}
        for file in children(Path(child.path)):
            if is_image(file.name) and not file.is_dir():
                entries.append(entry_at(f"{child.name}/{file.name}", Place(Path(file.path)), told))
            else:
                left_aside.append(f"{child.name}/{file.name}")
    notes = ignored(left_aside)
    if example not in LABELS:
        # What nothing can check is said.
        notes += (f"{len(classes):,} folders are numbers: taken for the sorted WordNet ids, counted from 0",)
    return Listing("class folders", folder, tuple(entries), notes)


def is_flat_image(child: os.DirEntry[str]) -> bool:
    """Tell whether this is called as a validation image is: ILSVRC2012_val_00000001.JPEG, with its class or without."""
    return bool(OFFICIAL_NAME.fullmatch(child.name) or NAME_WITH_CLASS.fullmatch(child.name))


def list_flat_images(folder: Path) -> Listing:
    """List the images of PATH/*.JPEG."""
    entries: list[Entry] = []
    left_aside: list[str] = []
    for file in children(folder):
        if is_image(file.name) and not file.is_dir():
            entries.append(entry_at(file.name, Place(Path(file.path))))
        elif file.name not in NAMES:
            left_aside.append(file.name)
    return Listing("flat folder", folder, tuple(entries), ignored(left_aside))
