"""The project's cache folder, and files that appear in it whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir(name: str) -> Path:
    """Return the cache's folder `name`, made if missing: in PNASNET_PARITY_CACHE, or in the user's own cache folder."""
    import platformdirs  # the tests of the port alone, which come through here, go without

    root = os.environ.get("PNASNET_PARITY_CACHE") or platformdirs.user_cache_dir("pnasnet-parity")
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its place when the block ends well, and is removed if not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, since a file is replaced as a whole within one file system alone; with a name of its own, so that two
    # processes do not write into one.
    own_name = uuid.uuid4().hex
    temporary = target.with_name(f".{own_name}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
