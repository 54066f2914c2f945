"""On a terminal, progress is seen while it lasts, and pytest's own lines are as they would be without it."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waiting import DEADLINE, ROOT, run, running

TESTS = """
import os, time
import pytest
from parity.plugin.progress import Progress

@pytest.fixture
def progress(request):
    return Progress(request.config)

def test_one(progress):
    with progress("a step"):
        print("printed meanwhile")
        os.write(1, b"by a framework")
        time.sleep(0.2)

def test_two(progress):
    with progress("another"):
        pass

def test_three(progress):
    from parity.imagenet.progress import Meter
    meter = Meter("mobile-65")
    meter.start(1)
    with progress.watch(meter) as report:
        report([], [])
"""
COLUMNS = 60
# Without the plugin that takes the suite's options, and without hypothesis, which takes longer to import than all else.
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:pnasnet-parity", "-p", "no:hypothesispytest")
COMMAND = (sys.executable, "-m", "pytest", *WITHOUT, "test_it.py")
Said = tuple[str, list[str]]
OnTerminal = Callable[..., Said]


def on_terminal(folder: Path, *arguments: str, **environment: str) -> Said:
    """What these tests write to a terminal, and what can be read there at the end."""
    (folder / "test_it.py").write_text(TESTS)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    path = {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with running(*COMMAND, *arguments, folder=folder, output=slave, environment=path | environment) as process:
        os.close(slave)
        said = read_to_end(master)
        code, _ = process.finish()
    os.close(master)
    assert code == 0, said
    return said, screen(said)


def read_to_end(terminal: int) -> str:
    """What comes to `terminal` until nobody has its other end any more; fails at the deadline."""
    end, said = time.monotonic() + DEADLINE, b""
    with suppress(OSError):  # the other end is closed
        while select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            said += os.read(terminal, 65536)
        pytest.fail(f"the terminal is still written to after {DEADLINE:g} s:\n{said.decode()}", pytrace=False)
    return said.decode()


def screen(said: str) -> list[str]:
    """The lines of a terminal that goes on for ever, without colours and trailing blanks."""
    lines, row, column = [""], 0, 0
    for text, code, number, letter in re.findall(r"([^\x1b\r\n]+)|([\r\n])|\x1b\[\??([\d;]*)(\w)", said):
        for mark in text:
            if column == COLUMNS:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] = f"{lines[row]:{column}}"[:column] + mark + lines[row][column + 1 :]
            column += 1
        if code:
            row, column = (row, 0) if code == "\r" else (row + 1, column)
        elif letter == "A":
            row -= int(number or 1)
        elif letter == "G":
            column = int(number or 1) - 1
        elif letter == "K" and row < len(lines):
            lines[row] = ""
        else:
            assert letter in "mhlK", (number, letter)
    return [line.rstrip() for line in lines]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnTerminal:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments, **environment: on_terminal(tmp_path, *arguments, **environment)


@pytest.mark.parametrize("mode", [[], ["-v", "--rootdir=/"], ["--capture=sys"]], ids=["plain", "verbose", "sys"])
def test_pytests_lines_are_as_without_it(terminal: OnTerminal, mode: list[str]) -> None:
    """Even where one is wider than the terminal; and what is printed meanwhile is captured."""
    said, lines = terminal("-k", "one or two", *mode)
    assert "a step" in said
    without = screen(re.sub(r"\r\n\x1b\[\?25l.*?\x1b\[\d+G\x1b\[1A", "", said, flags=re.DOTALL))
    assert lines == without
    shown = "\n".join(lines)
    assert "a step" not in shown
    assert "printed meanwhile" not in shown


def test_the_bar_of_an_evaluation_stays(terminal: OnTerminal) -> None:
    """On lines of its own; what pytest says next is behind what it said before, as it reckons."""
    _, lines = terminal("-k", "three")
    start = lines.index("test_it.py")
    (bar,) = (number for number, line in enumerate(lines) if line.startswith("mobile-65 "))
    (dot,) = (number for number, line in enumerate(lines) if re.fullmatch(r" {11}\. +\[100%\]", line))
    assert start < bar < dot


def test_without_colour_it_is_seen_all_the_same(terminal: OnTerminal) -> None:
    said, _ = terminal("-k", "one", NO_COLOR="1")
    assert "a step" in said
    assert not re.search(r"\x1b\[[\d;]*m", said)


def test_a_terminal_that_can_only_write_on_is_spared(terminal: OnTerminal) -> None:
    said, _ = terminal("-k", "one", TERM="dumb")
    assert "a step" not in said
    assert "\x1b" not in said


def test_elsewhere_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    apart = ("sh", "-c", 'exec "$@" 2> errors', "sh")
    code, said = run(*apart, *COMMAND, "-k", "one", folder=tmp_path, environment={"PYTHONPATH": str(ROOT)})
    assert (code, (tmp_path / "errors").read_text()) == (0, ""), said
    assert "a step" not in said
    assert "\x1b" not in said
