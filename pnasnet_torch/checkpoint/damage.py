"""What is wrong within a checkpoint's file, and the one error that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from pnasnet_torch.errors import WeightsError


class DamageError(ValueError):
    """Bytes are not as they were written; who reads the file adds its name and the variable's."""


@contextmanager
def naming(path: str, variable: str = "") -> Iterator[None]:
    """Turns whatever is wrong with a file into one WeightsError that names it, and the variable."""
    try:
        yield
    except WeightsError:
        raise
    # A file whose checksums fit may still have been made to mislead: numbers out of range, text that is none.
    except (ValueError, LookupError, TypeError, OverflowError, OSError) as error:
        where = f" (variable {variable})" if variable else ""
        problem = error.strerror if isinstance(error, OSError) else error
        raise WeightsError(
            f"{path} is not a sound TensorFlow checkpoint{where}: {problem}. Copy or download it again"
        ) from error
