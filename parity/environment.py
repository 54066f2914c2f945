"""What the figures depend on besides the code: pinned, and reported."""

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tf_reference.checkpoint import fingerprint

if TYPE_CHECKING:
    from parity.layers import Network
    from parity.options import Options
    from parity.sources import StoredSource

FRAMEWORKS = ("torch", "tensorflow", "tf-slim", "tf-keras", "numpy")
REQUIRED = ("tensorflow", "tf_keras", "tf_slim")


def require_tensorflow() -> None:
    """Raises pytest.UsageError, saying what to install, where the reference cannot run."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f"pytest parity runs the official network and needs {', '.join(missing)}: "
            "python -m pip install 'pnasnet-parity[parity]' (in a checkout: python -m pip install -e '.[parity]'). "
            "Without TensorFlow a port is judged by a trace, --reference FILE.h5, or by --reference golden"
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


def provenance(options: "Options") -> dict[str, Any]:
    """What a run's figures depend on besides the code, as plain data. Imports neither framework.

    Where the reference is stored, weights and images are those of `recorded`, which is its own provenance.
    """
    found: dict[str, Any] = {
        "versions": {name: version(name) for name in FRAMEWORKS},
        "cpu": cpu(),
        "threads": options.threads,
        "reference": ", ".join(options.references),
    }
    if options.stored:
        return found | {"recorded": options.stored.provenance}
    return found | {
        "seed": options.seed,
        "checkpoint": str(options.checkpoint) if options.checkpoint else None,
        "checkpoint_sha256": fingerprint(options.checkpoint) if options.checkpoint else None,
        "images": {name: options.image_hashes[path] for name, path in options.named_images.items()},
    }


def header(options: "Options") -> list[str]:
    """Lines for pytest's header: versions, machine, settings, and what is compared."""
    found = provenance(options)
    recorded = found.get("recorded")
    lines = [
        *_machine(found),
        f"{', '.join(map(str, options.networks))}: {options.judged} against {found['reference']}",
        *(f"  {line}" for line in options.left_out),
    ]
    if recorded and options.stored:
        lines += [f"  made from {recorded['reference']} {recorded.get('created', '')}".rstrip()]
        lines += [f"  {line}" for line in _machine(recorded)]
        lines += [f"  {line}" for line in _parts(options.stored, options.networks)]
    return [f"parity: {line}" for line in (*lines, *_inputs(recorded or found))]


def _parts(stored: "StoredSource", networks: "Iterable[Network]") -> Iterator[str]:
    """Where the reference holds a part of a network alone."""
    for network in networks:
        layers = set(stored.layers(network))
        held = max(len(layers & set(stored.names(gate, network))) for gate in stored.gates)
        if held < len(layers):
            yield f"of {network} it holds {held:,} of {len(layers):,} layers"


def _machine(found: Mapping[str, Any]) -> list[str]:
    return [
        ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        f"{found['cpu']}, {found['threads']} threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms",
    ]


def _inputs(found: Mapping[str, Any]) -> list[str]:
    if "checkpoint" not in found:
        return [f"integer network, seed {found['seed']}"]
    checkpoint = f"synthetic, seed {found['seed']}"
    if found["checkpoint"]:
        checkpoint = f"{found['checkpoint']} (SHA-256 {found['checkpoint_sha256'][:12]})"
    hashes = ", ".join(f"{name} {digest[:12]}" for name, digest in found["images"].items())
    return [f"checkpoint {checkpoint}", f"images (SHA-256) {hashes}"]


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
