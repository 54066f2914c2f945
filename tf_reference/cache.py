"""The project's cache folder, and what takes its place where it cannot be written."""

import os
import tempfile
import warnings
from functools import cache
from pathlib import Path

from tf_reference.files import writing

CACHE = "PNASNET_PARITY_CACHE"
# Tells a process of the suite the folder that takes the place of the cache in the one that started it.
SHARED = "PNASNET_PARITY_SHARED"


def cache_root() -> Path:
    """Return the cache's folder, whether it is there or not: PNASNET_PARITY_CACHE, or one in the user's own cache."""
    import platformdirs  # the tests of the port alone, which come through here, go without

    return Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("pnasnet-parity")).expanduser()


def cached_file(folder: str, name: str) -> Path:
    """Return the path of the file `name` in the cache's folder `folder`: where it is, or else where it can be written.

    Where the cache cannot be written, that is a folder which lasts as long as this process. Raise InputError where
    there is no such folder either.
    """
    path = cache_root() / folder / name
    # Not Path.exists, which raises where a folder may not be looked into.
    if os.path.exists(path) or _is_writable(path.parent):
        return path
    with writing(path.parent):
        own_folder = Path(_temporary_cache(cache_root())) / folder
        own_folder.mkdir(exist_ok=True)
    _warn(cache_root())
    return own_folder / name


def environment() -> dict[str, str]:
    """Return the environment of a process that is to use the same folders as this one."""
    root = cache_root()
    shared = {} if _is_writable(root) else {SHARED: _temporary_cache(root)}
    return os.environ | shared


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in `folder`, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _temporary_cache(root: Path) -> str:
    """Return the folder that takes the place of the cache `root`."""
    return os.environ.get(SHARED) or _made(root).name


@cache
def _made(_root: Path) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder that lasts until this process ends."""
    return tempfile.TemporaryDirectory(prefix="pnasnet-parity-")


@cache
def _warn(root: Path) -> None:
    """Say, once, that the cache `root` cannot be written."""
    warnings.warn(
        f"the cache {root} cannot be written, and so is not used: what it would keep is made anew in each run. "
        f"{CACHE} names another folder for it",
        stacklevel=3,
    )
