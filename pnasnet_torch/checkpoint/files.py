"""Files that lie together: in a folder, or in an archive that is never unpacked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pnasnet_torch.errors import reading


@dataclass(frozen=True)
class Files:
    """The files of a folder or an archive: where it is, their names in it, and how to open one.

    `folder` is None where they are no files of the disk.
    """

    where: str
    names: Collection[str]
    open: Callable[[str], BinaryIO]
    folder: Path | None = None

    def path(self, name: str) -> str:
        """Return the path of the file called `name`, as a message shows it."""
        return f"{self.where}/{name}"

    def read(self, name: str) -> memoryview:
        """Return the content of the file called `name`. Raise WeightsError where the system does not let it be read."""
        with reading(self.path(name)), self.open(name) as file:
            return memoryview(file.read())
