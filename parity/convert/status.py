"""One line that says what is being done, while it is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(description: str) -> Iterator[None]:
    """Shows the description on the terminal; nothing where the errors' output is none."""
    terminal = sys.stderr if sys.stderr.isatty() else None
    if terminal:
        print(f"{description} ...", end="", file=terminal, flush=True)
    try:
        yield
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=terminal, flush=True)
