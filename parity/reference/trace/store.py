"""The file's layout, which nothing else knows.

An HDF5 file whose root is marked as a trace. Below `arrays`, each array is a dataset at its path; arrays of the same
content share one. Integers in floating point are stored in the smallest integer type that gives the same bits back.
`head` is JSON: what the file is about, and for each path the array's dtype and the SHA-256 of what is stored. The
head's own SHA-256 is an attribute, written last; so whatever is altered or missing is noticed when it is read.
"""

import glob
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from parity.core.errors import InputError

FORMAT, VERSION = "pnasnet-parity trace", 1
COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "lzf": {"compression": "lzf", "shuffle": True},
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}
NARROW = (np.int8, np.int16, np.int32)
SAMPLE = 4096


class Writer:
    """Writes the trace `path` under a temporary name beside it; only `finish` puts it in its place.

    Raises InputError if it cannot be written there.
    """

    def __init__(self, path: Path, compression: str = "none") -> None:
        self.path = path
        # Of its own for each process, so that none writes into another's.
        self._temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        _remove_leftovers(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = h5py.File(self._temporary, "w")
        except OSError as error:
            raise InputError(f"the trace {path} cannot be written: {error}") from error
        self._options = COMPRESSIONS[compression]
        self._index: dict[str, dict[str, str]] = {}
        self._paths: dict[str, str] = {}

    def put(self, path: str, array: np.ndarray) -> None:
        """Stores `array` at `path`, if there is none yet."""
        if path in self._index:
            return
        stored = narrow(np.asarray(array, order="C"))
        sha256 = digest(stored)
        with self._writing():
            if sha256 in self._paths:
                self._file[f"arrays/{path}"] = self._file[f"arrays/{self._paths[sha256]}"]
            else:
                options = self._options if stored.ndim else {}
                self._file.create_dataset(f"arrays/{path}", data=stored, **options)
        self._paths.setdefault(sha256, path)
        self._index[path] = {"dtype": str(array.dtype), "sha256": sha256}

    def finish(self, head: Mapping[str, Any]) -> None:
        """Adds the `head`, and puts the trace in its place."""
        content = json.dumps({**head, "arrays": self._index}).encode()
        with self._writing():
            self._file["head"] = np.frombuffer(content, np.uint8)
            self._file.attrs["format"] = FORMAT
            self._file.attrs["version"] = VERSION
            self._file.attrs["sha256"] = hashlib.sha256(content).hexdigest()
            self._file.close()
            self._temporary.replace(self.path)

    def close(self) -> None:
        """Leaves nothing behind, unless it is finished."""
        with suppress(OSError, RuntimeError):  # that what nobody wants cannot be written
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raises InputError where it fails, as on a full disk. What HDF5 still holds then goes nowhere: it would fail
        again, whenever an object of the file is freed."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            if self._file:
                with Path(os.devnull).open("wb") as nowhere:
                    os.dup2(nowhere.fileno(), self._file.id.get_vfd_handle())
            raise InputError(f"the trace {self.path} cannot be written: {error}") from error


class Reader:
    """A complete trace. Raises InputError for a file that is none, and for an array that was altered when it is read.

    `head` is what the writer was given.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self.head = self._head()
        except InputError:
            self.close()
            raise
        except (OSError, RuntimeError) as error:
            self.close()
            raise InputError(f"{path} is damaged: its head cannot be read ({error}). Record it again") from error
        self._index: dict[str, dict[str, str]] = self.head.pop("arrays")

    def _head(self) -> dict[str, Any]:
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT or "head" not in self._file or not {"version", "sha256"} <= {*attributes}:
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
        """All folders that hold arrays, in stored order. A variable's name has slashes of its own."""
        return list(dict.fromkeys("/".join(path.split("/")[:3]) for path in self._index))

    def below(self, folder: str) -> list[str]:
        """The paths in `folder`, relative to it, in the order in which they were stored."""
        return [path.removeprefix(f"{folder}/") for path in self._index if path.startswith(f"{folder}/")]

    def sha256(self, path: str) -> str:
        """Equal for two arrays of the same dtype if and only if their bits are."""
        return f"{self._index[path]['dtype']} {self._index[path]['sha256']}"

    def get(self, path: str) -> np.ndarray:
        """The array at `path`."""
        if path not in self:
            raise InputError(f"{self.path} does not hold {path}: record it again, with all that is to be judged")
        entry = self._index[path]
        try:
            stored = self._file[f"arrays/{path}"][()]
        except (KeyError, OSError, RuntimeError) as error:
            raise InputError(f"{self.path} is damaged: {path} cannot be read ({error}). Record it again") from error
        if digest(stored) != entry["sha256"]:
            raise InputError(f"{self.path} was altered: the checksum of {path} does not fit. Record it again")
        array: np.ndarray = stored.astype(entry["dtype"], copy=False)
        return array

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _remove_leftovers(path: Path) -> None:
    """What killed processes left of this trace: HDF5 locks what is still being written."""
    if os.name != "posix":
        return
    import fcntl

    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise InputError(f"there is no trace at {path}: record one with pytest parity --record {path}")
    try:
        return h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file, or a truncated one ({error}). Record or copy it again") from error


def digest(array: np.ndarray) -> str:
    """SHA-256 of dtype, shape and content."""
    found = hashlib.sha256(f"{array.dtype} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return found.hexdigest()


def narrow(array: np.ndarray) -> np.ndarray:
    """The same values in the smallest integer type from which they come back bit for bit; else `array` itself."""
    if array.dtype.kind != "f" or not array.size or not _whole(array.ravel()[:SAMPLE]):
        return array
    largest = max(-float(array.min()), float(array.max()))
    kind = next((kind for kind in NARROW if largest <= np.iinfo(kind).max), None)
    if kind is None:
        return array
    integers = array.astype(kind)
    bits = f"u{array.itemsize}"
    same = np.array_equal(integers.astype(array.dtype).view(bits), array.view(bits))
    return integers if same else array


def _whole(array: np.ndarray) -> bool:
    return bool((array == np.rint(array)).all())
