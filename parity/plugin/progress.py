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
    """How wide it is, whatever the standard streams are meanwhile."""
    return os.get_terminal_size(terminal.fileno()).columns or 80


class Progress:
    """A status line while a step lasts, and the bar of an evaluation; nothing where the output is no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._writer = config.get_terminal_writer() if reporter else None
        self._capture = config.pluginmanager.get_plugin("capturemanager")

    @contextmanager
    def __call__(self, description: str) -> Iterator[None]:
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
        """The bar of an evaluation, which stays."""
        from parity.imagenet.progress import shown

        with self._terminal() as terminal:
            below = self._line_below(terminal, stays=True) if terminal else nullcontext()
            with below, shown(meter, terminal, columns_of(terminal) if terminal else None) as report:
                yield report

    @contextmanager
    def _terminal(self) -> Iterator[IO[str] | None]:
        """The terminal, if pytest writes to one. While tests run, all output but pytest's own is redirected."""
        with self._capture.global_and_fixture_disabled() if self._capture else nullcontext():
            file = self._writer._file if self._writer else None
            found = file is not None and file.isatty() and os.environ.get("TERM") != "dumb"
            copy = os.dup(file.fileno()) if file and found else None
        if file is None or copy is None:
            yield None
            return
        with open(copy, "w", encoding=file.encoding, errors="replace") as terminal:
            yield terminal

    @contextmanager
    def _line_below(self, terminal: IO[str], stays: bool = False) -> Iterator["Console"]:
        """A line to write to, left empty unless what is written `stays`; the cursor is in its column again then."""
        from rich.console import Console
        from rich.control import Control

        assert self._writer
        console = Console(file=terminal, width=columns_of(terminal), no_color=not self._writer.hasmarkup)
        column = self._writer.width_of_current_line % console.width
        if column:
            console.line()
        try:
            yield console
        finally:
            if column:
                console.control(Control.move_to_column(column, 0 if stays else -1))
