"""A Python for ARM with the suite's packages, unpacked for qemu-aarch64. Needs no root, and leaves the system as it is.

apt-get works in a state of its own, with this machine's package sources and keys: dpkg is told of no architecture.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
REQUIREMENTS = CHECKOUT / "requirements/arm.txt"
EMULATOR, PYTHON = "qemu-aarch64", "usr/bin/python3.11"
SITE = "site-packages"  # by this name hypothesis knows code that is not under test, and does not read all of it
RELEASE = "Debian 12 (bookworm)"
# Python 3.11, and every library that it or a wheel is linked with.
PACKAGES = (
    *("python3.11", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "libcrypt1", "libffi8", "libssl3", "libexpat1", "libsqlite3-0"),
    *("zlib1g", "libbz2-1.0", "liblzma5", "libuuid1", "libtinfo6", "libncursesw6", "libreadline8"),
)
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
# What of this machine's environment would reach into a Python that is not this machine's.
FOREIGN = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTEST_ADDOPTS", "PYTHONHOME", "PYTHONPATH")
LAST_WORDS = 15  # lines of a command that failed


class MissingError(Exception):
    """What is missing on this machine, and what to do about it."""


@dataclass(frozen=True)
class Machine:
    """A processor, and how its Python is started."""

    cpu: str
    python: tuple[str, ...]
    environment: Mapping[str, str]


def is_arm() -> bool:
    """Tell whether this machine is an ARM itself."""
    return platform.machine() in ("aarch64", "arm64")


def native(cpu: str) -> Machine:
    """Describe this machine, with the Python that runs this."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return Machine(cpu, (sys.executable,), kept | {"PYTHONPATH": str(CHECKOUT)})


def emulated(cpu: str, system: Path, site: Path) -> Machine:
    """Describe the emulated processor `cpu`, with the Python of the folder `system` and the packages of `site`."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    kept |= {"PYTHONPATH": os.pathsep.join(map(str, (site, CHECKOUT))), "PYTHONNOUSERSITE": "1"}
    return Machine(cpu, (EMULATOR, "-cpu", cpu, "-L", str(system), str(system / PYTHON)), kept)


def require_emulator() -> str:
    """Return the emulator's version. Raises MissingError where it is not installed."""
    _require(EMULATOR, "qemu-user")
    said = subprocess.run([EMULATOR, "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0]


def check_start(machine: Machine) -> None:
    """Raise MissingError where the machine's Python does not start, as on a processor that the emulator lacks."""
    hint = f"`{EMULATOR} -cpu help` lists the processors"
    _run([*machine.python, "-c", "pass"], CHECKOUT, f"--cpu {machine.cpu}: {hint}", machine.environment)


def unpack(root: Path, sources: Path | None, say: Callable[[str], None]) -> tuple[Path, Path]:
    """Return the folders of Debian's Python and of the suite's packages below `root`, made where they are missing."""
    system = root / f"debian-{_digest(' '.join(PACKAGES))}"
    wheels = root / f"wheels-{_digest(REQUIREMENTS.read_text())}"
    if not system.is_dir():
        say(f"unpacking {len(PACKAGES)} of Debian's packages for arm64 (12 MB to download) into {system}")
        with appearing(system) as folder:
            _unpack_debian(folder, sources)
    if not wheels.is_dir():
        say(f"installing {REQUIREMENTS.name}'s wheels for aarch64 (400 MB to download, 1.2 GB) into {wheels}")
        with appearing(wheels) as folder:
            _install(folder / SITE)
    return system, wheels / SITE


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder` that takes its name when the block ends well, and is removed if not."""
    temporary = folder.with_name(f".{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_debian(folder: Path, sources: Path | None) -> None:
    _require("apt-get", "apt")
    _require("dpkg-deb", "dpkg")
    hint = (
        f"these packages are those of {RELEASE}: on another system, run this in a container of it, or name a "
        "sources.list of it with --sources FILE"
    )
    with tempfile.TemporaryDirectory() as temporary:
        packages = Path(temporary)
        apt = ["apt-get", "-q", *apt_options(packages, sources)]
        _run([*apt, "update"], packages, "does this machine reach its package sources? (--sources FILE names others)")
        _run([*apt, "download", *PACKAGES], packages, hint)
        for package in sorted(packages.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(folder)], packages, "is the disk full?")


def apt_options(state: Path, sources: Path | None) -> list[str]:
    """Return the options by which apt-get knows arm64 alone, and keeps what it knows in the folder `state`."""
    (state / "status").touch()
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Update::Error-Mode": "any",  # apt-get would go on without what it could not fetch
        "APT::Sandbox::User": "",  # root's downloads would go through a user who cannot enter the folder
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(state),
    }
    if sources:
        settings |= {"Dir::Etc::sourcelist": str(sources.resolve()), "Dir::Etc::sourceparts": "-"}
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _install(folder: Path) -> None:
    platforms = [f"--platform={name}" for name in PLATFORMS]
    tags = ["--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none", *platforms]
    where = [f"--target={folder}", "--no-deps", "--only-binary=:all:", f"--requirement={REQUIREMENTS}"]
    hint = "are pip and a network, or an index that has these wheels, at hand?"
    _run([sys.executable, "-m", "pip", "install", *where, *tags], folder.parent, hint)


def _require(command: str, package: str) -> None:
    if not shutil.which(command):
        raise MissingError(
            f"{command} is not installed: apt-get install {package} (a Debian or Ubuntu on another processor than ARM "
            "is emulated upon; on an ARM nothing is needed)"
        )


def _run(command: Sequence[str], folder: Path, hint: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in `folder`. Raises MissingError with its last words and the `hint`."""
    pipe = subprocess.PIPE
    done = subprocess.run(command, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        words = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-LAST_WORDS:])
        raise MissingError(f"{command[0]} failed ({done.returncode}): {hint}\n{words}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
