"""Loops compiled by numba, whose cache saves seconds where it can be used and is never in the way."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numba
from numba.core.caching import FunctionCache

log = logging.getLogger(__name__)


class _ForgivingCache(FunctionCache):
    """numba's cache of a function, where no error of the cache ends what the function is called for."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for the types `sig`; None where there is nothing that can be used."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # of a file that was cut off, or may not be read: unpickling has many kinds of them
            _say()
            with suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for the types `sig`, where there is room for it."""
        try:
            super().save_overload(sig, data)
        except Exception:
            _say()


@cache
def _say() -> None:
    """Say, once in a process, what a cache that is of no use costs, and what helps."""
    log.warning("numba's cache cannot be used, and compiling takes seconds: NUMBA_CACHE_DIR names another folder")


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function, compiled when it is called first, and kept in numba's cache where that can be.

    It has not numba's `fastmath`, by which the order of the operations, and so the bits, would be the compiler's
    choice. `nogil` lets the threads of an evaluation prepare images side by side.
    """
    dispatcher = numba.njit(nogil=True)(function)
    try:
        # In the place of `cache=True`, whose errors would be those of whoever calls the function.
        dispatcher._cache = _ForgivingCache(function)  # type: ignore[attr-defined]
    except (RuntimeError, OSError):  # there is no place for it, neither beside the file nor in the user's own folder
        _say()
    return dispatcher
