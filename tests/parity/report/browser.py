"""Find a browser for the tests of the report's page; where none starts, install one and say so.

Playwright is not imported here. All that is asked of it, or of the computer, comes in a `Machine`, for which a test can
stand in; and tests/conftest.py imports this module where there is no Playwright.
"""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

VARIABLE = "PNASNET_PARITY_BROWSER"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
# Where installers put a browser, below each of the folders.
MACOS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
WINDOWS = (
    r"Google\Chrome\Application\chrome.exe",
    r"Chromium\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")

# A command, and after how many seconds it is given up. Both ways are downloads of 100 to 200 MB; apt-get has longer,
# because it should not be interrupted while it unpacks.
Command = tuple[tuple[str, ...], float]
PLAYWRIGHT: Command = ((sys.executable, "-m", "playwright", "install", "chromium"), 120)
APT_UPDATE: Command = (("apt-get", "update", "--quiet"), 120)
APT_INSTALL: Command = (("apt-get", "install", "--quiet", "--yes", "chromium"), 600)

# How a message begins that says why tests were not run, and the property of a test that carries any other message.
NONE_STARTS = "no browser starts"
STEPS = "browser"


@dataclass(frozen=True)
class Machine:
    """All that the search asks of a computer."""

    environ: Mapping[str, str]
    platform: str  # as in sys.platform
    root: bool
    downloaded: str  # where Playwright's own browser lies, once it has been downloaded
    start: Callable[[str, bool], str]  # (path, with its sandbox): why the browser does not start, empty where it does
    run: Callable[[Sequence[str], float], str]  # (command, seconds): why the command failed, empty where it did not
    say: Callable[[str], None]

    def which(self, program: str) -> str | None:
        """Return the path of an executable, given by name or by path."""
        return shutil.which(program, path=self.environ.get("PATH", ""))


@dataclass(frozen=True)
class Search:
    """What came of a search: the path of a browser that starts, or none, with the steps that are worth telling."""

    path: str
    sandbox: bool
    steps: Sequence[str]
    remedy: str = ""  # what a user can do

    @property
    def message(self) -> str:
        """Say in lines which browser is used, or that none starts, what was tried, and how to get one."""
        head = f"the tests of the report's page run in {self.path}" if self.path else NONE_STARTS
        lines = [head, *(f"  {step}" for step in self.steps)]
        if self.remedy:
            lines.append(f"to run these tests: {self.remedy}")
        return "\n".join(lines)


def search(machine: Machine) -> Search:
    """Return the first browser that starts; only where none does, install one, in one way after the other."""
    named = machine.environ.get(VARIABLE)
    if named:
        return _named(machine, named)
    result = _first_that_starts(machine, [])
    for commands in installations(machine):
        if not result.path:
            result = _install(machine, commands, result)
    return result


def required(environ: Mapping[str, str]) -> bool:
    """Tell whether a missing browser is a failure: in continuous integration, and where the user named one."""
    continuous = environ.get("CI", "").lower() not in ("", "0", "false")
    return continuous or bool(environ.get(VARIABLE))


def places(machine: Machine) -> list[str]:
    """List the names and the paths that a browser may have, in the order in which they are tried."""
    paths: list[str] = []
    if machine.platform == "darwin":
        folders = ["/Applications", f"{machine.environ.get('HOME', '')}/Applications"]
        paths = [f"{folder}/{application}" for application in MACOS for folder in folders]
    if machine.platform == "win32":
        folders = [machine.environ[name] for name in WINDOWS_FOLDERS if machine.environ.get(name)]
        paths = [f"{folder}\\{program}" for program in WINDOWS for folder in folders]
    return [*NAMES, *paths, machine.downloaded]


def installations(machine: Machine) -> list[tuple[Command, ...]]:
    """List the ways to install a browser, each a series of commands. The package can be had by root alone."""
    if machine.root and machine.which("apt-get"):
        return [(PLAYWRIGHT,), (APT_UPDATE, APT_INSTALL)]
    return [(PLAYWRIGHT,)]


def remedy(machine: Machine) -> str:
    """Return what a user can type to get a browser."""
    install = shlex.join(PLAYWRIGHT[0])
    if machine.which("apt-get"):
        install = "apt-get install chromium" if machine.root else "sudo apt-get install chromium"
    return f"{install} (or name a browser in {VARIABLE})"


def _named(machine: Machine, named: str) -> Search:
    """Return the browser that the user named. No other is tried, and none is installed."""
    advice = f"name a browser that starts in {VARIABLE}, or unset it"
    path = machine.which(named)
    if path is None:
        return Search("", False, [f"{VARIABLE} is {named}, which is no program"], advice)
    sandbox, reason = _start(machine, path)
    if reason:
        return Search("", False, [f"{VARIABLE} is {named}, which does not start: {reason}"], advice)
    return Search(path, sandbox, [])


def _first_that_starts(machine: Machine, steps: Sequence[str]) -> Search:
    """Try the browsers that are there, each once; those that do not start are added to the steps."""
    paths = list(dict.fromkeys(filter(None, map(machine.which, places(machine)))))
    told = list(steps) if paths else [*steps, "no Chromium, Chrome or Edge was found"]
    for path in paths:
        sandbox, reason = _start(machine, path)
        if not reason:
            return Search(path, sandbox, told)
        told.append(f"{path} does not start: {reason}")
    return Search("", False, list(dict.fromkeys(told)), remedy(machine))


def _start(machine: Machine, path: str) -> tuple[bool, str]:
    """Start a browser, and return whether with its sandbox, and why not at all.

    As root, Chromium refuses to start with its sandbox; in a container without user namespaces, it cannot.
    """
    reason = ""
    for sandbox in (False,) if machine.root else (True, False):
        reason = machine.start(path, sandbox)
        if not reason:
            return sandbox, ""
    return False, reason


def _install(machine: Machine, commands: Sequence[Command], before: Search) -> Search:
    """Run commands until one fails, and say so; behind the last, look for a browser again."""
    steps = list(before.steps)
    for command, deadline in commands:
        words = shlex.join(command)
        machine.say(f"{NONE_STARTS}: trying {words}, for at most {deadline:.0f} s")
        reason = machine.run(command, deadline)
        steps.append(f"{words}: {reason or 'done'}")
        machine.say(steps[-1])
        if reason:
            return replace(before, steps=steps)
    return _first_that_starts(machine, steps)


def write_summary(reporter: pytest.TerminalReporter, required: bool) -> None:
    """Write how many tests were not run for want of a browser, and why; or else, how one was got."""
    reasons = [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reporter.stats.get("skipped", ())]
    missing = [reason for reason in reasons if reason.startswith(NONE_STARTS)]
    got = [dict(report.user_properties).get(STEPS) for report in reporter.stats.get("passed", ())]
    count = (
        "1 test of the report's page was" if len(missing) == 1 else f"{len(missing)} tests of the report's page were"
    )
    said = [f"{count} not run: {reason}" for reason in missing[:1]]
    said += filter(None, got)
    colour = {"red": required, "yellow": not required} if missing else {}
    if said:
        reporter.write_sep("=", "browser", **colour)
    for line in "\n".join(said).splitlines():
        reporter.write_line(line, **colour)
