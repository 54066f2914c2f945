"""Finds, checks and imports the official source: the pinned wheel, or a checkout of tensorflow/models."""

import hashlib
import importlib
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from tf_reference.cache import cache_dir
from tf_reference.compat import official_names
from tf_reference.errors import InputError

REQUIREMENT = Path(__file__).with_name("official-source.txt")
PACKAGES = ("nets", "preprocessing", "datasets", "deployment", "object_detection")
NEEDED = ("nets/nasnet/pnasnet.py", "nets/nasnet/nasnet.py", "nets/nasnet/nasnet_utils.py")


@dataclass(frozen=True)
class Source:
    """Where the official modules lie (a wheel or a folder) and the SHA-256 that stands for their content."""

    root: Path
    fingerprint: str

    def load(self, module: str) -> ModuleType:
        """The official module `module`, such as `nets.nasnet.pnasnet`; the same object each time."""
        return _load(self, module)


@cache
def _load(source: Source, module: str) -> ModuleType:
    with official_names(str(source.root), PACKAGES):
        try:
            return importlib.import_module(module)
        except (ImportError, AttributeError, SyntaxError) as error:  # a name that TensorFlow 1 had, a damaged file
            raise InputError(f"{source.root}: {module} cannot be imported: {error}") from error


def find(reference: str = "official") -> Source:
    """The source that `--reference` names: `official`, or `slim:PATH` with the folder that holds `nets/`.

    Raises InputError if it is missing, incomplete or altered.
    """
    if reference == "official":
        return official_wheel()
    kind, _, path = reference.partition(":")
    if kind != "slim" or not path:
        raise InputError(f"unknown reference {reference!r}: expected 'official' or 'slim:PATH'")
    return slim_checkout(Path(path))


def slim_checkout(root: Path) -> Source:
    """A checkout's research/slim folder; the fingerprint covers the files that define the network."""
    missing = [name for name in NEEDED if not (root / name).is_file()]
    if missing:
        raise InputError(
            f"{root} is not a slim checkout: it lacks {', '.join(missing)}. Give the folder that holds nets/ "
            "(research/slim in a checkout of tensorflow/models)."
        )
    digest = hashlib.sha256()
    for name in NEEDED:
        digest.update((root / name).read_bytes())
    return Source(root.resolve(), digest.hexdigest())


def official_wheel() -> Source:
    """The pinned wheel in the cache folder, downloaded the first time; its SHA-256 is checked at every start."""
    name, version, expected = _pinned()
    wheel = cache_dir("official") / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not wheel.exists():
        _download(wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != expected:
        raise InputError(
            f"{wheel} is not the official source: expected SHA-256 {expected}, found {found}. "
            f"Delete the file and run again, or fetch it yourself: {' '.join(_command(wheel.parent))}"
        )
    return Source(wheel, found)


def _pinned() -> tuple[str, str, str]:
    match = re.search(r"^(\S+)==(\S+) --hash=sha256:(\w{64})$", REQUIREMENT.read_text(), re.MULTILINE)
    if match is None:
        raise InputError(f"{REQUIREMENT} does not pin the source: expected NAME==VERSION --hash=sha256:...")
    return match[1], match[2], match[3]


def _command(folder: Path) -> list[str]:
    options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", str(REQUIREMENT), "--dest", str(folder)]
    return [sys.executable, "-m", "pip", "download", *options]


def _download(wheel: Path) -> None:
    command = _command(wheel.parent)
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode or not wheel.exists():
        reason = (result.stderr or result.stdout).strip() or "pip saved another file name"
        raise InputError(
            f"the official source is not in {wheel.parent} and could not be downloaded ({reason}). "
            f"Put the wheel with SHA-256 {_pinned()[2]} there: {' '.join(command)}"
        )
