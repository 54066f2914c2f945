"""The file's layout, which nothing else knows.

An HDF5 file whose root is marked as a trace. Below `arrays`, each array is a dataset at its path; arrays of the same
content share one. Integers in floating point are stored in the smallest integer type that gives the same bits back.
`head` is JSON: what the file is about, and for each path the array's dtype and the SHA-256 of what is stored. The
head's own SHA-256 is an attribute, written last; so whatever is altered or missing is noticed when it is read.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from parity.core.errors import InputError
from parity.core.files import reading, staging, writing
from parity.reference.trace.encoding import digest, narrow
from pnasnet_torch.writing import uncomplaining

FORMAT, VERSION = "pnasnet-parity trace", 2
# In HDF5's own words. Layers shrink to 0.86 of their size with lzf, at 75 MB/s, and to 0.75 with gzip at its fastest,
# at 39 MB/s; as they are, they are written at 726 MB/s.
COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "lzf": {"compression": "lzf", "shuffle": True},
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}


class Writer:
    """Writes the trace `path` in a folder of its own beside it; only `finish` puts it in its place.

    Raises InputError if it cannot be written there.
    """

    def __init__(self, path: Path, compression: str = "none") -> None:
        self.path = path
        self._options = COMPRESSIONS[compression]
        self._index: dict[str, dict[str, str]] = {}
        self._paths: dict[str, str] = {}
        with writing(path), ExitStack() as stack:
            # HDF5 is not crash-safe: only a whole file gets the trace's name.
            self._temporary = stack.enter_context(staging(path.parent)) / path.name
            self._target = stack.enter_context(uncomplaining(self._temporary))
            self._file = stack.enter_context(h5py.File(self._target, "w"))
            self._open = stack.pop_all()

    def put(self, path: str, array: np.ndarray) -> None:
        """Store `array` at `path`, unless there is one already."""
        if path in self._index:
            return
        stored = narrow(np.asarray(array, order="C"))
        sha256 = digest(stored)
        if sha256 in self._paths:  # one dataset, with both paths
            self._file[f"arrays/{path}"] = self._file[f"arrays/{self._paths[sha256]}"]
        else:
            options = self._options if stored.ndim else {}  # HDF5 compresses no scalar
            self._file.create_dataset(f"arrays/{path}", data=stored, **options)
        self._raise_unless_written()
        self._paths.setdefault(sha256, path)
        self._index[path] = {"dtype": str(array.dtype), "sha256": sha256}

    def finish(self, head: Mapping[str, Any]) -> None:
        """Add the `head`, and put the trace in its place."""
        content = json.dumps({**head, "arrays": self._index}).encode()
        self._file["head"] = np.frombuffer(content, np.uint8)
        self._file.attrs["format"] = FORMAT
        self._file.attrs["version"] = VERSION
        # Last: a trace that has it has all of the rest.
        self._file.attrs["sha256"] = hashlib.sha256(content).hexdigest()
        self._file.close()
        with writing(self.path):
            self._target.close()
            self._raise_unless_written()
            self._temporary.replace(self.path)

    def close(self) -> None:
        """Close the file, and remove it unless it was finished."""
        with suppress(OSError):  # raised where what nobody wants could not be written
            self._open.close()

    def _raise_unless_written(self) -> None:
        """Raise InputError once something could not be written, as on a full disk."""
        if self._target.error:
            with writing(self.path):
                raise self._target.error


class Reader:
    """A complete trace, whose `head` is what the writer was given.

    Raises InputError for a file that is none, and, when it is read, for an array that was altered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self.head = self._read_head()
        except InputError:
            self.close()
            raise
        except (OSError, RuntimeError) as error:
            self.close()
            raise InputError(f"{path} is damaged: its head cannot be read ({error}). Record it again") from error
        self._index: dict[str, dict[str, str]] = self.head.pop("arrays")

    def _read_head(self) -> dict[str, Any]:
        """Return the head, checked. Raise InputError if it is missing, of another version, or altered."""
        attributes = self._file.attrs
        is_complete = "head" in self._file and "version" in attributes and "sha256" in attributes
        if attributes.get("format") != FORMAT or not is_complete:
            raise InputError(
                f"{self.path} is an HDF5 file, but no trace, or an incomplete one: "
                "record it with pytest parity --record FILE.h5"
            )
        if attributes["version"] != VERSION:
            raise InputError(
                f"{self.path} is a trace of version {attributes['version']}, and this program reads {VERSION}: "
                "record it again"
            )
        content = self._file["head"][()].tobytes()
        if hashlib.sha256(content).hexdigest() != attributes["sha256"]:
            raise InputError(f"{self.path} was altered: the checksum of its head does not fit. Record it again")
        head: dict[str, Any] = json.loads(content)
        return head

    def __contains__(self, path: str) -> bool:
        return path in self._index

    def folders(self) -> list[str]:
        """Return all folders that hold arrays, in stored order."""
        # Three parts of a path are the folder; what follows is a name, and a variable's has slashes of its own.
        folders = ["/".join(path.split("/")[:3]) for path in self._index]
        return list(dict.fromkeys(folders))

    def below(self, folder: str) -> list[str]:
        """Return the paths in `folder`, relative to it, in the order in which they were stored."""
        prefix = f"{folder}/"
        return [path.removeprefix(prefix) for path in self._index if path.startswith(prefix)]

    def sha256(self, path: str) -> str:
        """Return a text that two arrays of one dtype share if and only if they have the same bits."""
        return f"{self._index[path]['dtype']} {self._index[path]['sha256']}"

    def get(self, path: str) -> np.ndarray:
        """Return the array at `path`. Raise InputError if it is missing, damaged or altered."""
        if path not in self:
            raise InputError(f"{self.path} does not hold {path}: record it again, with all that is to be judged")
        entry = self._index[path]
        try:
            stored = self._file[f"arrays/{path}"][()]
        except (KeyError, OSError, RuntimeError) as error:
            raise InputError(f"{self.path} is damaged: {path} cannot be read ({error}). Record it again") from error
        if digest(stored) != entry["sha256"]:
            raise InputError(f"{self.path} was altered: the checksum of {path} does not fit. Record it again")
        # Integers in a narrow type become floats again; anything else is what it was, and not copied.
        array: np.ndarray = stored.astype(entry["dtype"], copy=False)
        return array

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: Path) -> h5py.File:
    """Open the trace at `path` for reading. Raise InputError if there is none, or no HDF5 file."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the trace in it, a file")
    if not path.exists():
        raise InputError(f"there is no trace at {path}: record one with pytest parity --record {path}")
    with reading(path):
        # First, as HDF5 has no other error for a file that is none of its own than for one that may not be read.
        path.open("rb").close()
    try:
        # No lock: a trace has its name only when it is whole, and some file systems have no locks.
        return h5py.File(path, locking=False)
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file, or a truncated one ({error}): name a trace") from error
