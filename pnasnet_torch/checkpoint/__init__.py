"""TensorFlow checkpoints without TensorFlow. Every byte that is read is covered by a checksum, which is verified."""

import re
from collections.abc import Collection
from typing import NamedTuple

from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.v1 import read_v1
from pnasnet_torch.checkpoint.v2 import read_v2
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.state import State

__all__ = ["Checkpoint", "Files", "prefixes", "read_checkpoint"]

# The name of one file of several. Groups: the prefix, all behind it, its kind in V2; the number of a part in V1, and
# how many parts there are.
PART = re.compile(r"(.+?)(\.(index|meta|data-\d{5}-of-\d{5})|-(\d{5})-of-(\d{5}))")
# How a checkpoint of format V1 is called, to be found among other files: it has no suffix of its own.
V1_NAME = re.compile(r".*\.ckpt(-\d+)?")


class Checkpoint(NamedTuple):
    """Variables by name, and the version of the format: V1 or V2."""

    state: State
    version: str


def prefixes(names: Collection[str]) -> list[str]:
    """Return the prefix of each checkpoint whose files are among `names`: what the files' names begin with."""
    v2_prefixes = {name.removesuffix(".index") for name in names if name.endswith(".index")}
    possible_prefixes = set()
    for name in names:
        part = PART.fullmatch(name)
        possible_prefixes.add(part[1] if part else name)
    v1_prefixes = set()
    for prefix in possible_prefixes - v2_prefixes:
        # The data files of a V2 checkpoint without its index are no checkpoint: `files_of` gives none for them.
        if V1_NAME.fullmatch(prefix) and files_of(names, prefix):
            v1_prefixes.add(prefix)
    return sorted(v2_prefixes | v1_prefixes)


def files_of(names: Collection[str], prefix: str) -> list[str]:
    """Return those of `names` that are the files of the checkpoint with this prefix; V2's index first."""
    parts = {}
    for name in sorted(names):
        part = PART.fullmatch(name)
        if part and part[1] == prefix:
            parts[name] = part
    index = f"{prefix}.index"
    if index in parts:
        return [index, *(name for name, part in parts.items() if part[2].startswith(".data"))]
    # V1: one file, whose name is the prefix, or several that are numbered.
    if prefix in names:
        return [prefix]
    return [name for name, part in parts.items() if part[4]]


def read_checkpoint(files: Files, prefix: str) -> Checkpoint:
    """Return all variables of the checkpoint with this prefix, and its format's version.

    Raise WeightsError, naming the file and the variable, if a part is missing or not as it was written.
    """
    names = files_of(files.names, prefix)
    if not names:
        others = prefixes(files.names)
        near = f"; there is {', '.join(others)}" if others else ""
        raise WeightsError(f"there is no checkpoint {files.path(prefix)}: no {prefix}, and no {prefix}.index{near}")
    if names[0].endswith(".index"):
        return Checkpoint(read_v2(files, prefix), "V2")
    first_part = PART.fullmatch(names[0])
    # Each file of V1 is a table that says nothing of the others: only the names tell how many there should be.
    if first_part and len(names) != int(first_part[5]):
        total = int(first_part[5])
        raise WeightsError(f"{files.path(prefix)}: {len(names)} of {total} files are there: {', '.join(names)}")
    return Checkpoint(read_v1(files, names), "V1")
