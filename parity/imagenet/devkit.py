"""The development kit of ILSVRC-2012, packed or not: it tells the class of each validation image."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from parity.core.errors import InputError
from parity.core.files import reading
from parity.core.words import few
from pnasnet_torch.classes import WNIDS

KIT = "ILSVRC2012_devkit_t12"
KIT_NAMES = (KIT, f"{KIT}.tar.gz", f"{KIT}.tar")
# The two files that matter, both in the kit's folder data/.
META = "meta.mat"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
GZIP = b"\x1f\x8b"
# The ids of classes, by their spelling. The kit numbers its inner nodes, which no image has, from 1001 on.
IDS = {str(number): number for number in range(1, len(WNIDS) + 1)}


def read_devkit(path: Path) -> list[str]:
    """Return the WordNet id of every validation image's class, in the order of the images' numbers.

    Raises InputError if the kit lacks a file, or if a file of it cannot be understood.
    """
    content = _read(path)
    wnids = _wnids_by_id(path, content[META])
    ids = _ground_truth(path, content[GROUND_TRUTH])
    return [wnids[number] for number in ids]


def _read(path: Path) -> dict[str, bytes]:
    """Return the kit's two files that matter, by name. Raises InputError if one is missing or cannot be read."""
    with reading(f"the development kit {path}"):
        content = _from_folder(path) if path.is_dir() else _from_archive(path)
    missing = [f"data/{name}" for name in (META, GROUND_TRUTH) if name not in content]
    if missing:
        raise InputError(f"the development kit {path} lacks {' and '.join(missing)}: expected {' or '.join(KIT_NAMES)}")
    return content


def _from_folder(path: Path) -> dict[str, bytes]:
    """Return the files that matter, as far as they are there, of a kit that is unpacked; its folder data/ is enough."""
    data = path if path.name == "data" else path / "data"
    files = [data / name for name in (META, GROUND_TRUTH)]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def _from_archive(path: Path) -> dict[str, bytes]:
    """Return the files that matter, as far as they are there, of a kit that is packed.

    Raises InputError for what is no archive, or a damaged one.
    """
    content: dict[str, bytes] = {}
    packed = path.read_bytes()
    try:
        # Browsers may have taken the compression off. Else unpacked to its end, where its checksum is, which tarfile
        # would not read.
        unpacked = gzip.decompress(packed) if packed.startswith(GZIP) else packed
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            for member in tar:
                inner = PurePosixPath(member.name)
                if inner.parent.name != "data" or inner.name not in (META, GROUND_TRUTH):
                    continue
                file = tar.extractfile(member)
                if file:  # a folder of that name has none
                    content[inner.name] = file.read()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"the development kit {path} is no sound archive ({error}): expected {KIT}.tar.gz, or the folder that it "
            "unpacks to. If it was this, a part is missing or damaged: copy it again"
        ) from error
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
