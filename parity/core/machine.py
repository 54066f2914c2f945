"""The machine that a run is on: its processor, and the versions of what computes."""

import importlib.metadata
import platform
from pathlib import Path

FRAMEWORKS = ("torch", "tensorflow", "tf-slim", "tf-keras", "numpy")


def version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def cpu() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
