"""Finds what is stored at a path: a file of any kind, a checkpoint, an archive, or a folder with one of them."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pnasnet_torch.archive import DECOMPRESSORS, archive_files, decompressed, folder_files
from pnasnet_torch.checkpoint import PART, Files, files_of, prefixes, read_checkpoint
from pnasnet_torch.content import Kind, check_no_stand_in, kind_of
from pnasnet_torch.errors import WeightsError, reading
from pnasnet_torch.hub import FILE, read_card, sha256
from pnasnet_torch.readers import READERS, read_states
from pnasnet_torch.state import States

# How many files of a folder are looked into for weights. A folder of photographs has more.
MOST_FILES = 1000
# How deep archives may lie in each other.
DEPTH = 3
# What a state file says first: the newest checkpoint, by a path that may be another machine's.
NEWEST = re.compile(r'model_checkpoint_path:\s*"(.*)"')
STATE_FILE = "checkpoint"


@dataclass(frozen=True)
class Stored:
    """What is stored at `path`: states, in which format, and the checkpoint's files and prefix where it is one.

    `notes` say how it was found where that is not plain.
    """

    path: Path
    states: States
    format: str
    checkpoint: tuple[Files, str] | None = None
    notes: tuple[str, ...] = ()

    def files(self) -> list[Path]:
        """Return the files on the disk whose content stands for all of it."""
        files, prefix = self.checkpoint or (None, "")
        if files is None or files.folder is None:
            return [self.path]
        names = files_of(files.names, prefix)
        # Of a checkpoint V2 the index, which comes first, is enough: it has checksums of all the rest.
        if f"{prefix}.index" in names:
            names = names[:1]
        return [files.folder / name for name in names]


def read_stored(path: Path) -> Stored:
    """Return what is stored at `path`. Raise WeightsError if it cannot be read, or is not what config.json says."""
    with reading(str(path)):
        if path.is_dir():
            path = _in_folder(path)
        card = read_card(path.parent)
        if card and card.weights == path.name and path.is_file() and sha256(path) != card.sha256:
            raise WeightsError(f"{path} is not what {FILE} beside it was written for: convert again, or remove {FILE}")
        files = folder_files(path.parent)
    return _Reading(path).read(files, path.name)


def _in_folder(folder: Path) -> Path:
    """Return the path of the weights in a folder. Raise WeightsError unless it is clear which they are."""
    card = read_card(folder)
    if card:
        return folder / card.weights
    return folder / _only(folder_files(folder), f"the folder {folder}", "Give the path of one")


def _only(files: Files, where: str, advice: str) -> str:
    """Return the name of the one file, or checkpoint's prefix, that is weights.

    Of several checkpoints it is the one that the state file beside them calls the newest. Raise WeightsError, calling
    the files' place `where`, if there is none or it is not clear which.
    """
    if len(files.names) > MOST_FILES:
        raise WeightsError(f"{where} holds {len(files.names):,} files: give the path of the weights")
    checkpoints = prefixes(files.names)
    weights = checkpoints + [name for name in files.names if _may_be_weights(files, name, checkpoints)]
    for name in files.names:
        if PurePosixPath(name).name == STATE_FILE and _newest(files, name) in checkpoints:
            return _newest(files, name)
    if len(weights) != 1:
        held = f"several: {', '.join(weights)}. {advice}" if weights else "none"
        raise WeightsError(f"{where} should hold weights, and holds {held}")
    return weights[0]


def _may_be_weights(files: Files, name: str, checkpoints: list[str]) -> bool:
    """Tell whether a file is of a kind that weights are read from, and no part of a checkpoint."""
    part = PART.fullmatch(name)
    if name in checkpoints or (part and part[1] in checkpoints):
        return False
    try:
        with reading(files.path(name)), files.open(name) as file:
            return kind_of(name, file) is not Kind.STATE
    except WeightsError:  # of another kind
        return False


def _newest(files: Files, name: str) -> str:
    """Return the prefix of the checkpoint that the state file `name` calls the newest; empty if it names none."""
    text = bytes(files.read(name)).decode("utf-8", "replace")
    match = NEWEST.search(text)
    if not match:
        return ""
    # By its last part, since the folder may have been moved or copied since it was written.
    return str(PurePosixPath(name).with_name(PurePosixPath(match[1].replace("\\", "/")).name))


class _Reading:
    """Reads what lies at a path, and notes what it is on the way: archives and state files lead to others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes: list[str] = []

    def read(self, files: Files, name: str, depth: int = DEPTH) -> Stored:
        """Return what the file or the checkpoint called `name` holds. Raise WeightsError if it cannot be read."""
        path = files.path(name)
        part = PART.fullmatch(name)
        if part and files_of(files.names, part[1]):
            self._notes.append(f"{path} is one of several files: the whole checkpoint {part[1]} is read")
            return self._checkpoint(files, part[1])
        if part and part[2].startswith(".data"):
            raise WeightsError(
                f"{path} has values of a checkpoint, and {part[1]}.index, which names them, is not beside it"
            )
        if name not in files.names:
            return self._checkpoint(files, name)
        with reading(path), files.open(name) as file:
            kind = kind_of(path, file)
            if kind is Kind.TABLE:
                return self._checkpoint(files, name)
            if kind is Kind.STATE:
                return self._state_file(files, name, depth)
            if kind in READERS:
                return Stored(self._path, read_states(path, kind, file), kind.value, notes=tuple(self._notes))
            if not depth:
                raise WeightsError(f"{self._path} holds archives within archives: unpack it first")
            if kind in DECOMPRESSORS:
                content = decompressed(path, kind, file)
                inner_name = PurePosixPath(name).stem
                inner = Files(path, [inner_name], lambda _: content)
                return self.read(inner, inner_name, depth - 1)
            members = archive_files(path, kind, file)
        return self.read(members, _only(members, path, "Unpack it and give one"), depth - 1)

    def _checkpoint(self, files: Files, prefix: str) -> Stored:
        """Return what a TensorFlow checkpoint holds."""
        for name in files_of(files.names, prefix):
            with reading(files.path(name)), files.open(name) as file:
                check_no_stand_in(files.path(name), file)
        checkpoint = read_checkpoint(files, prefix)
        form = f"TensorFlow checkpoint {checkpoint.version}"
        return Stored(self._path, {"": checkpoint.state}, form, (files, prefix), tuple(self._notes))

    def _state_file(self, files: Files, name: str, depth: int) -> Stored:
        """Return what the checkpoint holds that a state file calls the newest."""
        newest = _newest(files, name)
        if not newest or not files_of(files.names, newest):
            raise WeightsError(
                f"{files.path(name)} only names checkpoints, and the newest, {newest or 'which it leaves out'}, is not "
                "beside it: give the prefix of a checkpoint"
            )
        self._notes.append(f"{files.path(name)} names the newest checkpoint, {newest}: it is read")
        return self.read(files, newest, depth)
