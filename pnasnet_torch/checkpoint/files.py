"""Where a checkpoint's files lie: a folder, or an archive that is never unpacked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Files:
    """The files of a folder or an archive: where it is, their names in it, and how to read one whole."""

    where: str
    names: Collection[str]
    read: Callable[[str], memoryview]

    def path(self, name: str) -> str:
        """Return the path of the file called `name`, as a message shows it."""
        return f"{self.where}/{name}"
