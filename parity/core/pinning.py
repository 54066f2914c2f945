"""What could change bits between runs, pinned; and memory given back."""

import ctypes
import importlib
import importlib.util
import os


def import_triton() -> None:
    """Import triton where it is installed; to be called before TensorFlow is imported.

    PyTorch's builds for GPUs import it sooner or later, and behind TensorFlow that import crashes the process.
    """
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")


def pin_torch(threads: int) -> None:
    """Pin what could change PyTorch's bits between runs: one number of `threads`, no TF32, deterministic algorithms."""
    import_triton()
    # What deterministic algorithms need on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    # Convolutions give other bits with another number of threads, and the same ones from run to run with this one.
    torch.set_num_threads(threads)
    # An operation that has no deterministic algorithm raises.
    torch.set_deterministic_debug_mode("error")
    # TF32 multiplies float32 values with 10 bits of their mantissa.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def choose_device(local_rank: int) -> str:
    """Return the device of this worker: a GPU where there is one, dealt by local rank.

    It is to be called before TensorFlow starts, which then sees that GPU alone; TensorFlow uses it where its own build
    can, and the CPU where not.
    """
    import_triton()
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
