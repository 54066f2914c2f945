"""Where a checkpoint's files lie: a folder, or an archive that is never unpacked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Files:
    """The files of a folder or an archive: their names in it, and how to read one whole."""

    where: str
    names: Collection[str]
    read: Callable[[str], memoryview]

    def path(self, name: str) -> str:
        """The file as a message names it."""
        return f"{self.where}/{name}"
