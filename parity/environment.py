"""What the figures depend on besides the code: pinned, and reported."""

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from parity.options import Options

FRAMEWORKS = ("torch", "tensorflow", "tf-slim", "tf-keras", "numpy")
REQUIRED = ("tensorflow", "tf_keras", "tf_slim")


def require_tensorflow() -> None:
    """Raises pytest.UsageError, saying what to install, where the reference cannot run."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f"pytest parity runs the official network and needs {', '.join(missing)}: "
            "python -m pip install 'pnasnet-parity[parity]' (in a checkout: python -m pip install -e '.[parity]')"
        )


def import_triton() -> None:
    """Imports what PyTorch's builds for GPUs import sooner or later, and what crashes the process behind TensorFlow."""
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")


def pin_torch(threads: int) -> None:
    """One number of threads, no TF32, deterministic algorithms: what else could change bits between runs."""
    import_triton()
    # What deterministic algorithms need on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def choose_device(local_rank: int) -> str:
    """The device of this worker: a GPU where there is one, dealt by local rank. To be called before TensorFlow starts.

    TensorFlow then sees that GPU alone; it uses it where its own build can, and the CPU where not.
    """
    import_triton()
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    torch.cuda.init()  # type: ignore[no-untyped-call]  # from here on, what is visible to torch is settled
    index = local_rank % torch.cuda.device_count()
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[index] if visible else str(index)
    return f"cuda:{index}"


def release_memory() -> None:
    """Gives freed memory back to the system; the C library would keep gigabytes of activations for itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:  # glibc has it
        trim(0)


def header(options: "Options") -> list[str]:
    """Lines for pytest's header: versions, machine, settings, and what is compared. Imports neither framework."""
    hashes = ", ".join(f"{path.name} {digest[:12]}" for path, digest in options.image_hashes.items())
    return [
        "parity: " + ", ".join(f"{name} {_version(name)}" for name in FRAMEWORKS),
        f"parity: {cpu()}, {options.threads} threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms",
        f"parity: {', '.join(map(str, options.networks))} against {options.reference}",
        f"parity: checkpoint {_checkpoint(options)}",
        f"parity: images (SHA-256) {hashes}",
    ]


def _checkpoint(options: "Options") -> str:
    if options.checkpoint is None:
        return f"synthetic, seed {options.seed}"
    from tf_reference.checkpoint import fingerprint

    return f"{options.checkpoint} (SHA-256 {fingerprint(options.checkpoint)[:12]})"


def _version(distribution: str) -> str:
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
