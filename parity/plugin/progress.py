"""What is seen on a terminal while the networks run: on a line below pytest's own, which is left as it was."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rich.console import Console

    from parity.imagenet.progress import Meter, Report


def columns_of(terminal: IO[str]) -> int:
    """Return how many columns a terminal has, whatever the standard streams are meanwhile."""
    # One that does not tell says 0.
    return os.get_terminal_size(terminal.fileno()).columns or 80


class Progress:
    """A status line while a step lasts, and the bar of an evaluation; nothing where the output is no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._writer = config.get_terminal_writer() if reporter else None
        self._capture = config.pluginmanager.get_plugin("capturemanager")

    @contextmanager
    def __call__(self, description: str) -> Iterator[None]:
        """Show the description of a step while it lasts."""
        with self._terminal() as terminal, ExitStack() as stack:
            if terminal:
                from rich.live import Live
                from rich.spinner import Spinner

                console = stack.enter_context(self._line_below(terminal))
                status = Spinner("line", description)
                # What the frameworks print meanwhile is pytest's to capture, not the terminal's.
                live = Live(status, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
                stack.enter_context(live)
            yield

    @contextmanager
    def watch(self, meter: "Meter") -> Iterator["Report"]:
        """Show the bar of an evaluation, which stays; yield what is to be called with each batch."""
        from parity.imagenet.progress import shown

        with self._terminal() as terminal, ExitStack() as stack:
            width = None
            if terminal:
                stack.enter_context(self._line_below(terminal, stays=True))
                width = columns_of(terminal)
            yield stack.enter_context(shown(meter, terminal, width))

    @contextmanager
    def _terminal(self) -> Iterator[IO[str] | None]:
        """Open the terminal, if pytest writes to one. While tests run, all output but pytest's own is redirected."""
        capture_off = self._capture.global_and_fixture_disabled() if self._capture else nullcontext()
        copy = None
        with capture_off:
            file = self._writer._file if self._writer else None
            if file is not None and file.isatty() and os.environ.get("TERM") != "dumb":
                # A descriptor of its own still leads to the terminal when pytest captures again.
                copy = os.dup(file.fileno())
        if file is None or copy is None:
            yield None
            return
        with open(copy, "w", encoding=file.encoding, errors="replace") as terminal:
            yield terminal

    @contextmanager
    def _line_below(self, terminal: IO[str], stays: bool = False) -> Iterator["Console"]:
        """Yield a line to write to, below pytest's own.

        At the end it is left empty unless what is written `stays`, and the cursor is in its column again.
        """
        from rich.console import Console
        from rich.control import Control

        assert self._writer  # without one there is no terminal
        console = Console(file=terminal, width=columns_of(terminal), no_color=not self._writer.hasmarkup)
        # pytest goes on where it stopped, behind its dots.
        column = self._writer.width_of_current_line % console.width
        if column:
            console.line()
        try:
            yield console
        finally:
            if column:
                console.control(Control.move_to_column(column, 0 if stays else -1))
