"""A file for libraries that cannot be told that a disk is full: they are not, and the error is raised at the end."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Uncomplaining(io.FileIO):
    """A file that is written and read, and that keeps the first error of the system in the place of raising it."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, or nothing any more once there was an error; return its size in bytes either way."""
        content = memoryview(data).cast("B")
        left = content
        try:
            # The system may write a part: then there is no room for the rest, which it says when it is asked again.
            while left and not self.error:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Make the file as long as this, if there was no error."""
        try:
            return self.tell() if self.error else super().truncate(size)
        except OSError as error:
            self.error = error
        return self.tell()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; with zeros from where on there is nothing, since what was to be there was not written."""
        content = memoryview(buffer).cast("B")
        count = super().readinto(content)
        content[count:] = bytes(len(content) - count)
        return len(content)


@contextmanager
def uncomplaining(path: Path) -> Iterator[Any]:
    """Yield a new file that takes whatever is written to it, and raise OSError at the end if not all was.

    libhdf5 crashes the process where it closes a file on a full disk, and PyTorch's writer ends in an error of its own
    that says nothing of the disk.
    """
    with _Uncomplaining(path, "w+") as file:
        try:
            yield file
        finally:
            # In the place of what a library makes of it.
            if file.error:
                raise file.error
