"""The console of a command that prints tables and paths."""

from typing import NoReturn

from rich.console import Console


class PlainConsole(Console):
    """rich's console, which leaves what is printed as it is, and never cuts it: neither a path nor a name."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> NoReturn:
        """Raise BrokenPipeError, which ends every command alike; rich would end this one as if it had failed."""
        raise BrokenPipeError
