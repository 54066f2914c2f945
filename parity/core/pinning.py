"""What could change bits between runs, pinned; and memory given back."""

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any

# Each side computes on one thread, and both at the same time: the bits are the same on any number of processors, and no
# thread waits for others where the processors have other work. The evaluation alone takes more.
SIDE_THREADS = 1
# How a setting is read, and how it is written.
Setting = tuple[Callable[[], Any], Callable[[Any], None]]
# Where torch.backends has what products of float32 values are computed in: until PyTorch 2.9, and from there on. In
# this order, as writing one of the older also writes the newer.
PRECISIONS = (
    "mkldnn.enabled",
    "cuda.matmul.allow_tf32",
    "cudnn.allow_tf32",
    "fp32_precision",
    "cuda.matmul.fp32_precision",
    "cudnn.conv.fp32_precision",
    "cudnn.rnn.fp32_precision",
    "mkldnn.matmul.fp32_precision",
    "mkldnn.conv.fp32_precision",
)


def pin_torch(threads: int) -> None:
    """Pin what could change PyTorch's bits between runs: one number of `threads`, no TF32, deterministic algorithms."""
    # What deterministic algorithms need on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    # Convolutions give other bits with another number of threads, and the same ones from run to run with this one.
    torch.set_num_threads(threads)
    # An operation that has no deterministic algorithm raises.
    torch.set_deterministic_debug_mode("error")
    # TF32 multiplies float32 values with 10 bits of their mantissa, and bfloat16, on CPUs, with 7.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


class Pins:
    """What is pinned, held while code of others runs: what that changes is put back, and `changed` tells of it."""

    def __init__(self) -> None:
        # By setting: what it was, and what it was changed to last.
        self.changed: dict[str, str] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put every setting back when this ends, however it ends, and note those that were changed."""
        settings = _settings()
        before = {name: read() for name, (read, _write) in settings.items()}
        try:
            yield
        finally:
            after = {name: read() for name, (read, _write) in settings.items()}
            if after != before:
                self._note(before, after)
                # All of them, as one setting may hang on another.
                for name, (_read, write) in settings.items():
                    write(before[name])

    def _note(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Note each setting that is another one `after` than it was `before`."""
        for name, value in after.items():
            # None is of an older name of a setting, which a newer one tells as well.
            if value not in (before[name], None):
                self.changed[name] = f"{name} from {before[name]} to {value}"


def _settings() -> dict[str, Setting]:
    """Return each setting of PyTorch that changes values or bits, by name."""
    import torch

    settings: dict[str, Setting] = {
        "threads": (torch.get_num_threads, torch.set_num_threads),
        "deterministic_debug_mode": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
        "default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "default_device": (torch.get_default_device, _set_default_device),
    }
    for path in PRECISIONS:
        settings[path] = partial(_precision, path), partial(_set_precision, path)
    return settings


def _set_default_device(device: Any) -> None:
    """Set the device on which tensors are made."""
    import torch

    # Without any it is the CPU; with one, each call of PyTorch is looked at.
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _precision(path: str) -> Any:
    """Return the precision that is set at `path`; None where this version has none there, or cannot tell it."""
    import torch

    try:
        return attrgetter(path)(torch.backends)
    except (AttributeError, RuntimeError):  # the older names raise where a newer one has set what they cannot tell
        return None


def _set_precision(path: str, precision: Any) -> None:
    """Set the precision at `path`, where there is one."""
    import torch

    if precision is not None:
        owner, _, attribute = path.rpartition(".")
        setattr(attrgetter(owner)(torch.backends) if owner else torch.backends, attribute, precision)


def choose_device(local_rank: int) -> str:
    """Return the device of this worker: a GPU where there is one, dealt by local rank.

    It is to be called before TensorFlow starts, which then sees that GPU alone; TensorFlow uses it where its own build
    can, and the CPU where not.
    """
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    # From here on, what is visible to torch is settled: it keeps its numbering when the variable below changes.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    index = local_rank % torch.cuda.device_count()
    # Where the variable names some GPUs, torch numbers these alone: TensorFlow is given the name behind torch's number.
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[index] if visible else str(index)
    return f"cuda:{index}"


def release_memory() -> None:
    """Give freed memory back to the system; the C library would keep gigabytes of activations for itself."""
    if os.name != "posix":
        return
    # glibc has it, and other C libraries have not.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
