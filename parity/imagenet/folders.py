"""Images as single files: one folder a class, or one folder for all."""

import os
from pathlib import Path

from parity.core.errors import InputError
from parity.imagenet.devkit import KIT_NAMES, OFFICIAL_NAME, OpenKit
from parity.imagenet.labels import LABELS
from parity.imagenet.listing import Entry, Listing, Place, ignored, is_hidden, is_image


def children(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name. Raises InputError if the folder cannot be read."""
    try:
        # A scan knows files from folders without asking for each of 50,000.
        with os.scandir(folder) as scan:
            return sorted(scan, key=lambda child: child.name)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror}") from error


def is_class_folder(child: os.DirEntry[str]) -> bool:
    """Tell whether this is a folder that is called as a class is, such as n01440764."""
    return child.name in LABELS and child.is_dir()


def list_class_folders(folder: Path) -> Listing:
    """List the images of PATH/n01440764/*.JPEG. Raises InputError for a folder that is no class."""
    entries: list[Entry] = []
    left_aside: list[str] = []
    for child in children(folder):
        # The kit often lies beside the images; it is not needed here, and no class.
        if child.name in KIT_NAMES:
            continue
        if is_hidden(child.name) or not child.is_dir():
            left_aside.append(child.name)
            continue
        if child.name not in LABELS:
            raise InputError(
                f"{folder} holds class folders, but {child.name} is none of the 1,000 classes of ILSVRC-2012: expected "
                "folders such as n01440764 alone. Move this folder elsewhere, or correct its name"
            )
        for file in children(Path(child.path)):
            if is_image(file.name) and not file.is_dir():
                entries.append(Entry(file.name, child.name, Place(Path(file.path))))
            else:
                left_aside.append(f"{child.name}/{file.name}")
    return Listing("class folders", folder, tuple(entries), ignored(left_aside))


def is_flat_image(child: os.DirEntry[str]) -> bool:
    """Tell whether this is called as a validation image is, such as ILSVRC2012_val_00000001.JPEG."""
    return bool(OFFICIAL_NAME.fullmatch(child.name))


def list_flat_images(folder: Path, open_kit: OpenKit) -> Listing:
    """List the images of PATH/*.JPEG, whose classes the development kit knows.

    Raises InputError as `Devkit.wnid_of`.
    """
    kit = open_kit()
    entries: list[Entry] = []
    left_aside: list[str] = []
    for file in children(folder):
        if is_image(file.name) and not file.is_dir():
            entries.append(Entry(file.name, kit.wnid_of(file.name), Place(Path(file.path))))
        elif file.name not in KIT_NAMES:
            left_aside.append(file.name)
    return Listing("flat folder", folder, tuple(entries), ignored(left_aside))
