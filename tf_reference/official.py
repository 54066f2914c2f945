"""Finds, checks and imports the official source: the pinned wheel, or a checkout of one kind or another."""

import hashlib
import importlib
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from tf_reference.cache import cache_root, cached_file
from tf_reference.compat import official_names
from tf_reference.errors import InputError
from tf_reference.files import reading, reason, staging, writing
from tf_reference.kinds import KINDS, SLIM, Kind

OFFICIAL = "official"
# What `--reference` takes to name an official source.
EXPECTED = ", ".join((OFFICIAL, *(f"{name}:PATH" for name in KINDS)))
REQUIREMENT = Path(__file__).with_name("official-source.txt")


@dataclass(frozen=True)
class Source:
    """An official source: where its modules lie (a wheel or a folder), the SHA-256 of their content, and its kind."""

    root: Path
    fingerprint: str
    kind: Kind = SLIM

    def load(self, module: str) -> ModuleType:
        """Return the module `module` of the source, such as `nets.nasnet.pnasnet`; the same object each time.

        Raise InputError if it cannot be imported.
        """
        return _load(self, module)


@cache
def _load(source: Source, module: str) -> ModuleType:
    with official_names(str(source.root), source.kind.packages):
        try:
            return importlib.import_module(module)
        except (ImportError, AttributeError, SyntaxError) as error:  # a name that TensorFlow 1 had, a damaged file
            raise InputError(f"{source.root}: {module} cannot be imported: {error}") from error


def kind_of(reference: str) -> Kind:
    """Return the kind of official source that `--reference` names. Raise InputError if it names none."""
    name, _, path = reference.partition(":")
    if reference == OFFICIAL:
        return SLIM
    if name not in KINDS or not path:
        raise InputError(f"unknown reference {reference!r}: expected {EXPECTED}")
    return KINDS[name]


def find(reference: str = OFFICIAL) -> Source:
    """Return the official source that `--reference` names.

    That is `official`, the pinned one, or the kind and folder of a checkout, as `slim:PATH`. Raise InputError if it is
    missing, incomplete or altered.
    """
    kind = kind_of(reference)
    if reference == OFFICIAL:
        return official_wheel()
    return _checkout(kind, Path(reference.partition(":")[2]))


def _checkout(kind: Kind, root: Path) -> Source:
    """Return a checkout, whose fingerprint covers the files that define the network."""
    missing = [name for name in kind.needed if not (root / name).is_file()]
    if missing:
        problem = f"{root} is not a {kind.name} checkout: it lacks {', '.join(missing)}"
        raise InputError(f"{problem}. Give {kind.folder}")
    digest = hashlib.sha256()
    for name in kind.needed:
        digest.update((root / name).read_bytes())
    return Source(root.resolve(), digest.hexdigest(), kind)


def official_wheel() -> Source:
    """Return the pinned wheel in the cache folder, downloaded the first time; its SHA-256 is checked at every start.

    It is never installed: its top-level names clash with other people's packages. Raise InputError if it is altered or
    cannot be had.
    """
    name, version, expected = _pinned()
    wheel, _ = pinned_wheel()
    by_hand = (
        f"put {wheel.name} with SHA-256 {expected} into {cache_root() / OFFICIAL} yourself, "
        f"from https://pypi.org/project/{name}/{version}/#files"
    )
    if not wheel.exists():
        _download(wheel, by_hand)
    with reading(f"{wheel}, the official source,"):
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if sha256 != expected:
        raise InputError(
            f"{wheel} is not the official source, but a file with SHA-256 {sha256}. Move it away and run again, which "
            f"downloads the right one, or {by_hand}"
        )
    return Source(wheel, sha256)


def pinned_wheel() -> tuple[Path, str]:
    """Return where the pinned wheel lies, or will lie once it was fetched, and which version of what it is."""
    name, version, _sha256 = _pinned()
    wheel = cached_file(OFFICIAL, f"{name.replace('-', '_')}-{version}-py3-none-any.whl")
    return wheel, f"{name} {version}"


def _pinned() -> tuple[str, str, str]:
    """Return the name, the version and the SHA-256 of the pinned wheel."""
    match = re.search(r"^(\S+)==(\S+) --hash=sha256:(\w{64})$", REQUIREMENT.read_text(), re.MULTILINE)
    if match is None:
        raise InputError(f"{REQUIREMENT} does not pin the source: expected NAME==VERSION --hash=sha256:...")
    return match[1], match[2], match[3]


def _download(wheel: Path, by_hand: str) -> None:
    """Download the pinned wheel, whole or not at all. Raise InputError, with what to do `by_hand`, if that fails."""
    # Without dependencies: those that the wheel declares cannot be installed any more.
    options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", str(REQUIREMENT)]
    with writing(wheel), staging(wheel.parent) as stage:
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(stage)]
        result = subprocess.run(command, capture_output=True, text=True)
        downloaded = stage / wheel.name
        if result.returncode or not downloaded.exists():
            raise InputError(
                f"the official source could not be downloaded ({_complaint(result)}): fetch it in an environment with "
                f"pip and a network, or {by_hand}"
            )
        downloaded.replace(wheel)


def _complaint(result: subprocess.CompletedProcess[str]) -> str:
    """Return why pip did not download what it was asked for, in one line."""
    lines = (result.stderr or result.stdout).strip().splitlines() or ["pip saved another file name"]
    for line in lines:
        # Where there is no network, pip ends with the words that there is no such package.
        if "connection broken by" in line:
            return line.partition("connection broken by ")[2]
    return reason(lines[-1])
