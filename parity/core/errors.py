"""What lies outside of the program: the exceptions for what was given and cannot be used, and how each is told."""

from pnasnet_torch.errors import WeightsError
from tf_reference.errors import InputError

__all__ = ["InputError", "JobError", "is_outside", "lacks_memory", "told"]

# What PyTorch says on a CPU, in a RuntimeError; and what it and TensorFlow call the errors of their own.
OUT_OF_MEMORY = "can't allocate memory"
ERRORS_OF_MEMORY = frozenset({"OutOfMemoryError", "ResourceExhaustedError"})


class JobError(Exception):
    """A job that failed, with nothing wrong in what was given for it."""


def is_outside(error: BaseException) -> bool:
    """Return whether an error is one of what was given, or of what the system has or allows."""
    return isinstance(error, (InputError, WeightsError, OSError)) or lacks_memory(error)


def lacks_memory(error: BaseException) -> bool:
    """Return whether memory could not be had, by whichever library."""
    if isinstance(error, MemoryError) or type(error).__name__ in ERRORS_OF_MEMORY:
        return True
    return OUT_OF_MEMORY in str(error)


def told(error: BaseException) -> str:
    """Return an error from outside in words: of the system's own, the file and the reason, without a number."""
    if lacks_memory(error):
        # TensorFlow's goes on for pages.
        return f"this machine has too little memory: {str(error).partition(chr(10))[0]}".rstrip(": ")
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
