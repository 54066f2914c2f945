"""What a system refuses, brought about in this process: files that grow too large, folders of somebody else's."""

import ctypes
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of Linux: the version of its capabilities, and the two by which root passes over the rights of files.
CAPABILITIES_VERSION = 0x20080522
READ_EVERYTHING = 1 << 1 | 1 << 2


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow over `size` bytes, as `ulimit -f` and, with another reason, a full disk do."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let this process not read a file, or not look into a folder and reach what is in it, though it is root's."""
    mode = path.stat().st_mode
    path.chmod(0)
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    kept, fewer = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, kept) == 0
    ctypes.memmove(fewer, kept, ctypes.sizeof(kept))
    # The first word has those that are in effect.
    fewer[0] &= ~READ_EVERYTHING
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, kept) == 0
        path.chmod(mode)
