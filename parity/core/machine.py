"""The machine that a run is on: its processor, and the versions of what computes."""

import importlib.metadata
import platform
from pathlib import Path

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
