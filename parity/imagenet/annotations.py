"""What tells the classes of images that lie in no class folders: the development kit, Kaggle's list, or Caffe's."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.core.files import reading
from parity.core.words import few
from parity.imagenet.devkit import KIT_NAMES, read_devkit
from parity.imagenet.labels import LABELS
from parity.imagenet.listing import Entry, is_image
from pnasnet_torch.classes import WNIDS

LISTS = ("LOC_val_solution.csv", "val.txt", "imagenet_2012_validation_synset_labels.txt")
NAMES = (*KIT_NAMES, *LISTS)
KAGGLE_HEAD = "ImageId,PredictionString"
# Of a box in Kaggle's list: its class, and two corners.
BOX = 5
LINES = """as in one of these:
  Kaggle's LOC_val_solution.csv   ILSVRC2012_val_00000001,n01751748 111 108 230 366
  Caffe's val.txt                 ILSVRC2012_val_00000001.JPEG 65 (classes from 0 to 999)
  a WordNet id for each image, in the order of their numbers"""


@dataclass(frozen=True)
class Annotation:
    """The WordNet id of each image's class as `path` tells it, by the image's name without its suffix."""

    path: Path
    wnids: Mapping[str, str]


def find_annotations(given: Path | None, images: Path) -> list[Annotation]:
    """Return what tells classes: what is `given`, or what lies beside the images; empty where nothing does.

    Of several folders the one next to the images counts, with all that lies in it. Raises InputError for what cannot be
    read or understood.
    """
    if given:
        inside = _in(given)
        return [read_annotation(path) for path in inside or [given]]
    for folder in folders_beside(images):
        inside = _in(folder)
        if inside:
            return [read_annotation(path) for path in inside]
    return []


def folders_beside(images: Path) -> list[Path]:
    """Return where annotations may lie: with the images, or in a folder above: Kaggle's lies four above."""
    absolute = Path(os.path.abspath(images))  # so that `.` has a parent
    folder = absolute if os.path.isdir(absolute) else absolute.parent
    return [place for place in (folder / "val", folder, *folder.parents[:4]) if os.path.isdir(place)]


def _in(folder: Path) -> list[Path]:
    """Return the annotations in a folder; of a kit that is there both unpacked and packed, the first."""
    # os.path takes what it may not look into for something that is not there.
    kits = [folder / name for name in KIT_NAMES if os.path.exists(folder / name)]
    lists = [folder / name for name in LISTS if os.path.isfile(folder / name)]
    return kits[:1] + lists


def read_annotation(path: Path) -> Annotation:
    """Read the development kit, packed or not, or a list in one of the forms of `LINES`. Raises InputError."""
    try:
        with reading(path):
            text = None if path.is_dir() else path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    # What is no text is an archive.
    if text is None or "\0" in text or not text.strip():
        return Annotation(path, _by_number(read_devkit(path)))
    return Annotation(path, _read_list(path, text.strip().splitlines()))


def _by_number(wnids: Iterable[str]) -> dict[str, str]:
    """Return the classes of the images with the numbers 1, 2 and so on, by the images' names without a suffix."""
    return {f"ILSVRC2012_val_{number:08d}": wnid for number, wnid in enumerate(wnids, start=1)}


def _read_list(path: Path, lines: Sequence[str]) -> dict[str, str]:
    """Return the classes that a list tells, by the images' names without a suffix. Raises InputError for a bad line."""
    wnids: dict[str, str] = {}
    start = 1 if lines[0].strip() == KAGGLE_HEAD else 0
    for number, line in enumerate(lines[start:], start=1):
        fields = re.split(r"[,\s]+", line.strip(", \t"))
        name = f"ILSVRC2012_val_{number:08d}" if len(fields) == 1 else PurePosixPath(fields[0]).name
        classes = {_wnid(name, field) for field in fields[1::BOX] or fields}
        stem = name.rpartition(".")[0] if is_image(name) else name
        wnid = classes.pop()
        if not wnid or classes or wnids.get(stem, wnid) != wnid:
            raise InputError(
                f"{path}, line {number + start:,}: found {line!r:.80}, expected an image and its one class, {LINES}\n"
                "Move this file elsewhere if it is another list, or give the right one with --devkit"
            )
        wnids[stem] = wnid
    return wnids


def _wnid(name: str, text: str) -> str:
    """Return the WordNet id that a list has for an image; empty where the text is none.

    Caffe's lists count from 0. A list that counts from 1 has a class 1000; Kaggle's lists of images, which number the
    images and not their classes, have no suffixes.
    """
    if text.isascii() and text.isdecimal() and int(text) < len(WNIDS) and is_image(name):
        return WNIDS[int(text)]
    return text if text in LABELS else ""


def classify(entries: Iterable[Entry], annotations: Sequence[Annotation], images: Path) -> list[Entry]:
    """Return the entries, each with its class: all that tells the class of an image has to tell the same one.

    Raises InputError for an image whose class nothing tells, or two things differently.
    """
    classified: list[Entry] = []
    unknown: list[str] = []
    for entry in entries:
        told = dict(entry.told)
        for annotation in annotations:
            wnid = annotation.wnids.get(entry.name.rpartition(".")[0])
            if wnid:
                told[str(annotation.path)] = wnid
        if len(set(told.values())) > 1:
            listed = ", ".join(f"{wnid} by {teller}" for teller, wnid in told.items())
            raise InputError(f"{entry.path} has two classes: {listed}. Mend what is wrong, or move it elsewhere")
        if told:
            classified.append(replace(entry, told=told))
        else:
            unknown.append(entry.path)
    if unknown:
        raise _unknown(unknown, len(classified), annotations, images)
    return classified


def _unknown(paths: Sequence[str], known: int, annotations: Sequence[Annotation], images: Path) -> InputError:
    """Return the error that names images whose classes nothing tells, and says what would."""
    problem = f"the class of {len(paths):,} of {len(paths) + known:,} images in {images} is not known: {few(paths)}"
    if annotations:
        listed = ", ".join(f"{annotation.path} ({len(annotation.wnids):,} images)" for annotation in annotations)
        return InputError(
            f"{problem}. They are not in {listed}. Move them elsewhere, give them their original names, such as "
            "ILSVRC2012_val_00000001.JPEG, or give the list of these images with --devkit"
        )
    folders = ", ".join(map(str, folders_beside(images)))
    return InputError(
        f"{problem}. Put one of {', '.join(NAMES)} beside them, or give its place with --devkit: looked in {folders}"
    )
