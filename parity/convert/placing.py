"""Files that are written in a folder of their own, and put in place all or none."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder within `folder`, on the same disk, which is removed at the end with all that is still in it."""
    stage = folder / f".{uuid.uuid4().hex}.partial"
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage)


def place(stage: Path, names: Sequence[str], replaced: Sequence[Path]) -> None:
    """Moves the files `names` from `stage` to the folder that it lies in, in that order; the last makes them count.

    One that takes the place of one is replaced at once. Of several, the old ones are set aside first, so that old and
    new files never lie there together; they come back if anything fails.
    """
    folder, old = stage.parent, stage / "replaced"
    old.mkdir()
    try:
        if [path.name for path in replaced] != [*names] or len(names) > 1:
            for path in replaced:
                path.rename(old / path.name)
        for name in names:
            (stage / name).replace(folder / name)
    except BaseException:
        moved = [name for name in names if not (stage / name).exists()]
        if len(moved) < len(names):
            for name in moved:
                (folder / name).unlink()
            for path in old.iterdir():
                path.rename(folder / path.name)
        raise
