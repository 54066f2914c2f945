"""A computer for the tests of the search for a browser."""

from collections.abc import Sequence
from pathlib import Path

from tests.parity.report.browser import VARIABLE, Machine


class Computer:
    """A computer that is a folder, and all that it is asked to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloaded = folder / "ms-playwright" / "chrome"
        self.broken: set[str] = set()
        self.sandboxes = {True, False}
        self.installs: dict[str, str] = {}  # by a command's first two words, the program that it adds
        self.started: list[tuple[str, bool]] = []
        self.commands: list[Sequence[str]] = []
        self.said: list[str] = []

    def add(self, path: str | Path) -> str:
        program = self.folder / "bin" / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(0o755)
        return str(program)

    def start(self, path: str, sandbox: bool) -> str:
        self.started.append((Path(path).name, sandbox))
        return "" if Path(path).name not in self.broken and sandbox in self.sandboxes else "it lacks a library"

    def run(self, command: Sequence[str], deadline: float) -> str:
        assert 0 < deadline <= 600
        self.commands.append(command)
        program = self.installs.get(" ".join(command[:2]))
        if program:
            self.add(program)
        return "" if program is not None else "no network"

    def machine(self, *, root: bool = False, platform: str = "linux", named: str = "") -> Machine:
        environ = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "home"), VARIABLE: named}
        environ |= {"PROGRAMFILES": r"C:\Program Files", "LOCALAPPDATA": r"C:\Local"}
        return Machine(environ, platform, root, str(self.downloaded), self.start, self.run, self.said.append)
