"""One line that says what is being done, while it is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(description: str) -> Iterator[None]:
    """Show the description on the terminal while this lasts; nothing where standard error is no terminal."""
    terminal = sys.stderr
    # In a file or a pipe, what clears the line would be there to be read.
    if not terminal.isatty():
        yield
        return
    print(f"{description} ...", end="", file=terminal, flush=True)
    try:
        yield
    finally:
        # Back to the start of the line, and clear it: what is printed next takes its place.
        print("\r\x1b[K", end="", file=terminal, flush=True)
