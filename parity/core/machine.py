"""The machine that a run is on: its processors, what is set there, and the versions of what computes."""

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

# How the names of variables begin that change which kernels the frameworks take, or how these compute.
CHANGING_BITS = (
    *("ATEN_", "DNNL_", "KMP_", "MKL_", "NVIDIA_TF32_OVERRIDE", "OMP_", "ONEDNN_", "OPENBLAS_"),
    *("TF_XLA_FLAGS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "XLA_FLAGS"),
)
CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
# More than any machine has processors. The frameworks end the process where the system gives them no more.
MOST_THREADS = 1024
FRAMEWORKS = ("torch", "tensorflow", "tf-slim", "tf-keras", "numpy")


def version(distribution: str) -> str:
    """Return the version of an installed distribution, or "not installed"."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def cpu() -> str:
    """Return the processor's name, as far as the system tells it, or else its architecture."""
    # Linux has the name there alone: `platform.processor` gives the architecture or nothing.
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def environment_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the environment that change bits, by name."""
    names = [name for name in sorted(environment) if name.startswith(CHANGING_BITS)]
    return {name: environment[name] for name in names}


def processors() -> int:
    """Return how many processors this process may use: those it may run on, or as many as a quota gives it time for."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        usable = os.cpu_count() or 1
    return max(1, min([usable, *map(int, _quotas())]))


def memory() -> float:
    """Return how many bytes this process may take: the machine's, or what a control group or a limit leaves of them."""
    limits = [math.inf, *_memory_limits()]
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ImportError):  # not on Windows
        import resource

        limit, _hard = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            limits.append(limit)
    return min(limits)


def default_threads() -> int:
    """Return how many threads to compute on where nobody says it: a processor each, at most OMP_NUM_THREADS.

    PyTorch follows that variable, and whoever runs several processes side by side sets it.
    """
    # One number for each level of nested parallelism, of which the outermost counts.
    chosen = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if chosen.isascii() and chosen.isdecimal() and int(chosen):
        return min(int(chosen), processors())
    return processors()


def _quotas(root: Path = CGROUPS, own: Path = OWN_GROUP) -> Iterator[float]:
    """Yield how many processors' time each control group of this process has, where it has a quota."""
    for group in _groups(root, own):
        # Without a quota it is "max"; the machine's own root has no such file.
        with suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            yield int(quota) / int(period)


def _memory_limits(root: Path = CGROUPS, own: Path = OWN_GROUP) -> Iterator[int]:
    """Yield how many bytes each control group of this process may take, where it has a limit."""
    for group in _groups(root, own):
        with suppress(OSError, ValueError):
            yield int((group / "memory.max").read_text())


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Yield the control groups of this process: its own and those above, whose limits count, too."""
    try:
        path = own.read_text().rpartition("::")[2].strip().strip("/")
    except OSError:  # not on Linux
        return
    # In a container a path may be that of the machine, and its group the root.
    for group in (root / path, *(root / path).parents):
        if group.is_relative_to(root):
            yield group
