"""What the official network gives, computed ahead of the candidate that is judged by it, in a thread of its own."""

from collections.abc import Generator, Hashable
from threading import Condition, Thread
from typing import Any

import numpy as np

# How many bytes of values may wait to be taken. It costs memory, and what is judged first need not wait for the rest.
WAITING = 128 * 2**20


class Room:
    """How many bytes wait to be taken, of what is computed one after the other, and what tells that this changed."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.waiting = 0


class Ahead:
    """What `values` yields, by key, for one who takes it in whatever order.

    In a thread of its own it is computed ahead, once what it comes `after` is computed; without one when it is asked
    for. Close it, or take all: a thread waits where too much was not taken, of this and of what it comes after.
    """

    def __init__(
        self, values: Generator[tuple[Hashable, Any]], threaded: bool = False, after: "Ahead | None" = None
    ) -> None:
        self._values = values
        # What was computed and not taken yet.
        self._waiting: dict[Hashable, Any] = {}
        self._room: Room = after._room if after else Room()
        # What somebody waits for: as long as it has not come, computing goes on, whatever waits to be taken.
        self._wanted: Hashable = None
        self._is_closed = False
        self._is_complete = False
        self._error: BaseException | None = None
        self._changed = self._room.changed
        self._thread = Thread(target=self._compute, args=(after,), daemon=True) if threaded else None
        if self._thread:
            self._thread.start()

    def take(self, key: Hashable) -> Any:
        """Return the value of `key`, which is not held any longer.

        Raises KeyError where there is none, and whatever was raised in computing it.
        """
        with self._changed:
            self._wanted = key
            self._changed.notify_all()
            while key not in self._waiting and not self._is_complete:
                if self._thread:
                    self._changed.wait()
                else:
                    self._advance()
            self._wanted = None
            if key not in self._waiting and self._error:
                raise self._error
            value = self._waiting.pop(key)
            self._room.waiting -= _bytes(value)
            self._changed.notify_all()
            return value

    def finish(self) -> None:
        """Compute what nobody takes, too, and free it. Raises whatever is raised in computing it."""
        with self._changed:
            while not self._is_complete:
                self._free()
                if self._thread:
                    self._changed.wait()
                else:
                    self._advance()
            if self._error:
                raise self._error

    def close(self) -> None:
        """Compute no more, and free what waits."""
        with self._changed:
            self._is_closed = True
            self._free()
        if self._thread:
            self._thread.join()
        self._values.close()
        with self._changed:
            self._free()

    def _free(self) -> None:
        """Free what waits."""
        self._room.waiting -= sum(map(_bytes, self._waiting.values()))
        self._waiting.clear()
        self._changed.notify_all()

    def _compute(self, after: "Ahead | None") -> None:
        """Compute all, as far as it is taken, in the thread."""
        # Both may use the same session of TensorFlow.
        if after and after._thread:
            after._thread.join()
        while not self._is_complete:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                if self._is_closed:
                    return
            self._advance()

    def _may_go_on(self) -> bool:
        """Return whether the next value is to be computed, or none any more."""
        is_missing = self._wanted is not None and self._wanted not in self._waiting
        return self._is_closed or is_missing or self._room.waiting < WAITING

    def _advance(self) -> None:
        """Compute the next value."""
        try:
            key, value = next(self._values)
        except BaseException as error:
            with self._changed:
                self._is_complete = True
                if not isinstance(error, StopIteration):
                    self._error = error
                self._changed.notify_all()
            return
        with self._changed:
            self._waiting[key] = value
            self._room.waiting += _bytes(value)
            self._changed.notify_all()


def _bytes(value: Any) -> int:
    """Return how many bytes the array that a value is, or the arrays that it consists of, take."""
    arrays = value if isinstance(value, tuple) else (value,)
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
