"""Built graphs in the cache folder: building one takes many seconds, reading it one."""

import hashlib
import importlib.metadata
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_reference import compat
from tf_reference.cache import cached_file
from tf_reference.errors import InputError
from tf_reference.files import replacing
from tf_reference.official import Source

if TYPE_CHECKING:
    from tf_reference.graph import GraphSpec

log = logging.getLogger(__name__)

# Bytes of the checksum that an entry begins with, and of the length of its description, which comes next.
CHECKSUM, LENGTH = 32, 8


@dataclass(frozen=True)
class GraphKind:
    """One kind of official graph: what its files in the cache end with, this package's modules that shape it, and what
    builds one: its description, plain data, and its GraphDef.
    """

    suffix: str
    code: tuple[str, ...]
    build: Callable[[Source, "GraphSpec"], tuple[dict[str, Any], Any]]

    def path(self, source: Source, spec: "GraphSpec") -> Path:
        """Return where the graph is kept. Raise InputError where TensorFlow, which shapes it, is not installed."""
        name = f"{spec.variant}-{spec.height}x{spec.width}-{spec.dtype}-{self._key(source, spec)}.{self.suffix}"
        return cached_file("graphs", name)

    def get(self, source: Source, spec: "GraphSpec") -> tuple[dict[str, Any], Any]:
        """Return what `build` gives: from the cache where there is a sound entry, else built and stored."""
        path = self.path(source, spec)
        try:
            return _read(path)
        except FileNotFoundError:
            log.info("building the official graph: %s", spec)
        except InputError:
            raise  # TensorFlow cannot be had, and building would ask for it again
        except (ValueError, OSError) as error:
            log.warning("rebuilding the official graph: %s", error)
        described, graph_def = self.build(source, spec)
        try:
            _write(path, described, graph_def)
        except InputError as error:
            # What was built is as good as it would be from the cache.
            warnings.warn(f"the official graph is not kept for the next run: {error}", stacklevel=2)
        return described, graph_def

    def _key(self, source: Source, spec: "GraphSpec") -> str:
        """Return a digest of all that shapes the graph: the spec, the official source, the versions below, the code."""
        versions = [_version(name) for name in ("tensorflow", "tf-slim", "tf-keras")]
        digests = []
        for name in self.code:
            content = Path(__file__).with_name(name).read_bytes()
            digests.append(hashlib.sha256(content).hexdigest())
        shaping = [asdict(spec), source.fingerprint, versions, digests]
        return hashlib.sha256(json.dumps(shaping).encode()).hexdigest()[:16]


def _version(name: str) -> str:
    """Return the version of a package. Raise InputError where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        tf = compat.tensorflow()
        # Its builds for one kind of machine have other names, such as tensorflow-cpu.
        if name == "tensorflow":
            return str(tf.__version__)
        raise InputError(f"the official network needs {name}: {compat.INSTALL}") from error


def _write(path: Path, described: dict[str, Any], graph_def: Any) -> None:
    head = json.dumps(described).encode()
    # Deterministic, so that the same graph gives the same file.
    content = graph_def.SerializeToString(deterministic=True)
    body = len(head).to_bytes(LENGTH) + head + content
    with replacing(path) as temporary:
        temporary.write_bytes(hashlib.sha256(body).digest() + body)


def _read(path: Path) -> tuple[dict[str, Any], Any]:
    """Return the entry. Raise FileNotFoundError if there is none, ValueError if it is damaged."""
    content = path.read_bytes()
    checksum = content[:CHECKSUM]
    # A view: the body would be copied otherwise.
    body = memoryview(content)[CHECKSUM:]
    if hashlib.sha256(body).digest() != checksum:
        raise ValueError(f"{path} is damaged: its checksum does not fit")
    end = LENGTH + int.from_bytes(body[:LENGTH])
    described = json.loads(bytes(body[LENGTH:end]))
    v1 = compat.tensorflow().compat.v1
    graph_def = v1.GraphDef.FromString(bytes(body[end:]))
    return described, graph_def
