"""Files that are written in a folder of their own, and put in place all or none."""

import shutil
from collections.abc import Sequence
from pathlib import Path


def place(stage: Path, names: Sequence[str], replaced: Sequence[Path]) -> None:
    """Move the files `names` from `stage` to the folder that it lies in, in that order; the last makes them count.

    One that takes the place of one is replaced at once. Of several, the old ones are set aside first, so that old and
    new files never lie there together; they come back if anything fails.
    """
    folder = stage.parent
    # Not within the stage: of a conversion that is killed just now, the next one removes that.
    old = stage.with_suffix(".replaced")
    old.mkdir()
    is_one_for_one = len(names) == 1 and [path.name for path in replaced] == [*names]
    try:
        if not is_one_for_one:
            for path in replaced:
                path.rename(old / path.name)
        for name in names:
            # Within one disk, so that a file is there whole or not at all.
            (stage / name).replace(folder / name)
    except BaseException:  # a conversion that is stopped leaves what was there, too
        moved = [name for name in names if not (stage / name).exists()]
        # Once the last file is there, the new ones count: whatever was raised after that undoes nothing.
        if len(moved) < len(names):
            for name in moved:
                (folder / name).unlink()
            for path in old.iterdir():
                path.rename(folder / path.name)
        shutil.rmtree(old)
        raise
    shutil.rmtree(old)
