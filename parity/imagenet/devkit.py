"""The development kit of ILSVRC-2012, packed or not: it knows the class of each validation image."""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.imagenet.listing import few
from pnasnet_torch.classes import WNIDS

KIT = "ILSVRC2012_devkit_t12"
KIT_NAMES = (KIT, f"{KIT}.tar.gz")
# The two files that matter, both in the kit's folder data/.
META = "meta.mat"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
OFFICIAL_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.(jpeg|jpg|png)", re.IGNORECASE)
# The ids of classes, by their spelling. The kit numbers its inner nodes, which no image has, from 1001 on.
IDS = {str(number): number for number in range(1, len(WNIDS) + 1)}


@dataclass(frozen=True)
class Devkit:
    """The WordNet id of every validation image's class: `wnids[n - 1]` for the image with number n."""

    path: Path
    wnids: tuple[str, ...]

    def wnid_of(self, name: str) -> str:
        """Return the class of the image with this base name. Raises InputError if its number is not in the kit."""
        match = OFFICIAL_NAME.fullmatch(name)
        if not match:
            raise InputError(
                f"{name} has no image number for the development kit to know its class by: expected a name such as "
                "ILSVRC2012_val_00000001.JPEG. Move this file elsewhere, or give it its original name"
            )
        number = int(match[1])
        if not 1 <= number <= len(self.wnids):
            raise InputError(
                f"{name}: the ground truth in {self.path} is for the images 1 to {len(self.wnids):,}. Is this the kit "
                "of these images?"
            )
        return self.wnids[number - 1]


OpenKit = Callable[[], Devkit]


def open_devkit(place: Path | None, beside: Sequence[Path]) -> Devkit:
    """Open the kit at `place`, or without one the first that lies in one of the folders `beside`.

    Raises InputError if there is none, if it lacks a file, or if a file of it cannot be understood.
    """
    path = place or _find(beside)
    content = _read(path)
    wnids = _wnids_by_id(path, content[META])
    ids = _ground_truth(path, content[GROUND_TRUTH])
    return Devkit(path, tuple(wnids[number] for number in ids))


def _find(folders: Sequence[Path]) -> Path:
    """Return the first kit in the folders, unpacked before packed. Raises InputError if there is none."""
    for folder in folders:
        for name in KIT_NAMES:
            if (folder / name).exists():
                return folder / name
    raise InputError(
        "the classes of these images are in the development kit alone, and there is none: looked for "
        f"{' and '.join(KIT_NAMES)} in {', '.join(map(str, folders))}. Put it there, or give its place with --devkit"
    )


def _read(path: Path) -> dict[str, bytes]:
    """Return the kit's two files that matter, by name. Raises InputError if one is missing or cannot be read."""
    try:
        content = _from_folder(path) if path.is_dir() else _from_archive(path)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"the development kit {path} cannot be read: {error}. Expected {KIT}.tar.gz or the folder that it unpacks "
            "to; if this is it, copy it again"
        ) from error
    missing = [f"data/{name}" for name in (META, GROUND_TRUTH) if name not in content]
    if missing:
        raise InputError(f"the development kit {path} lacks {' and '.join(missing)}: expected {' or '.join(KIT_NAMES)}")
    return content


def _from_folder(path: Path) -> dict[str, bytes]:
    """Return the files that matter, as far as they are there, of a kit that is unpacked."""
    files = [path / "data" / name for name in (META, GROUND_TRUTH)]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def _from_archive(path: Path) -> dict[str, bytes]:
    """Return the files that matter, as far as they are there, of a kit that is packed."""
    content: dict[str, bytes] = {}
    # Unpacked to its end, where its checksum is, which tarfile would not read.
    unpacked = gzip.decompress(path.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
        for member in tar:
            inner = PurePosixPath(member.name)
            if inner.parent.name != "data" or inner.name not in (META, GROUND_TRUTH):
                continue
            file = tar.extractfile(member)
            if file:  # a folder of that name has none
                content[inner.name] = file.read()
    return content


def _wnids_by_id(path: Path, content: bytes) -> dict[int, str]:
    """Return the wnids of ids 1 to 1000, which are not in the order of the sorted wnids.

    `content` is that of meta.mat. Raises InputError if it cannot be read, or if its ids leave out a class.
    """
    from scipy.io import loadmat

    try:
        synsets = loadmat(io.BytesIO(content), variable_names=["synsets"], squeeze_me=True)["synsets"]
        every_wnid = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    except Exception as error:  # scipy's reader raises anything on damaged bytes
        raise InputError(
            f"the development kit {path}: data/{META} cannot be read ({type(error).__name__}: {error}). Expected a "
            "MATLAB file with `synsets`, which have ILSVRC2012_ID and WNID. Unpack or copy the kit again"
        ) from error
    wnids = {number: every_wnid.get(number, "none") for number in IDS.values()}
    # 1,000 ids that lead to all of the 1,000 classes lead to none of them twice.
    missing = sorted(set(WNIDS).difference(wnids.values()))
    if missing:
        raise InputError(
            f"the development kit {path}: the ids 1 to 1000 in data/{META} leave out {len(missing):,} of the 1,000 "
            f"classes ({few(missing)}): expected each once. Give the kit of tasks 1 and 2 of 2012, {KIT_NAMES[1]}"
        )
    return wnids


def _ground_truth(path: Path, content: bytes) -> list[int]:
    """Return the id of each image's class, in the order of the images' numbers. Raises InputError for a bad line."""
    ids: list[int] = []
    # What is no ASCII is replaced, so that a damaged line can be shown.
    lines = content.decode("ascii", "replace").rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text not in IDS:
            raise InputError(
                f"the development kit {path}: data/{GROUND_TRUTH}, line {number:,}: found {line!r}, expected an id "
                "from 1 to 1000. Unpack or copy the kit again"
            )
        ids.append(IDS[text])
    return ids
