"""TensorFlow checkpoints without TensorFlow. Every byte that is read is covered by a checksum, which is verified."""

import re
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from pnasnet_torch.checkpoint.files import Files
from pnasnet_torch.checkpoint.v1 import read_v1
from pnasnet_torch.checkpoint.v2 import read_v2
from pnasnet_torch.errors import WeightsError

__all__ = ["Checkpoint", "Files", "prefixes", "read_checkpoint"]

# One file of several.
PART = re.compile(r"(.+?)(\.(index|meta|data-\d{5}-of-\d{5})|-(\d{5})-of-(\d{5}))")
# How a checkpoint of format V1 is called, to be found among other files.
V1_NAME = re.compile(r".*\.ckpt(-\d+)?")


class Checkpoint(NamedTuple):
    """Variables by name, and the version of the format: V1 or V2."""

    variables: dict[str, np.ndarray]
    version: str


def prefixes(names: Collection[str]) -> list[str]:
    """What the names of each checkpoint's files begin with, for all whose files are among `names`."""
    v2 = {name.removesuffix(".index") for name in names if name.endswith(".index")}
    others = {match[1] if (match := PART.fullmatch(name)) else name for name in names} - v2
    return sorted(v2 | {name for name in others if V1_NAME.fullmatch(name) and files_of(names, name)})


def files_of(names: Collection[str], prefix: str) -> list[str]:
    """Those of `names` that are the files of the checkpoint with this prefix; V2's index first."""
    parts = {name: match for name in sorted(names) if (match := PART.fullmatch(name)) and match[1] == prefix}
    index = f"{prefix}.index"
    if index in parts:
        return [index, *(name for name, match in parts.items() if match[2].startswith(".data"))]
    if prefix in names:
        return [prefix]
    return [name for name, match in parts.items() if match[4]]


def read_checkpoint(files: Files, prefix: str) -> Checkpoint:
    """All variables of the checkpoint with this prefix.

    Raises WeightsError, naming the file and the variable, if a part is missing or not as it was written.
    """
    if match := PART.fullmatch(prefix):
        raise WeightsError(
            f"{files.path(prefix)} is one part of a checkpoint: give what all of them begin with, {match[1]}"
        )
    found = files_of(files.names, prefix)
    if not found:
        near = f"; there is {', '.join(others)}" if (others := prefixes(files.names)) else ""
        raise WeightsError(f"there is no checkpoint {files.path(prefix)}: no {prefix}, and no {prefix}.index{near}")
    if found[0].endswith(".index"):
        return Checkpoint(read_v2(files, prefix), "V2")
    if (match := PART.fullmatch(found[0])) and len(found) != int(match[5]):
        raise WeightsError(f"{files.path(prefix)}: {len(found)} of {int(match[5])} files are there: {', '.join(found)}")
    return Checkpoint(read_v1(files, found), "V1")
