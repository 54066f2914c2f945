"""What could change bits between runs, pinned; and memory given back."""

import ctypes
import importlib
import importlib.util
import os


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
