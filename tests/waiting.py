"""Processes and threads that are waited for: each wait has a deadline, at whose end it is told what a process said."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]
# Seconds, many times what a quiet machine needs for what is waited for here. Shorter than a fast test's deadline in
# conftest.py, which could not tell what the process said.
DEADLINE = 240.0
# Seconds between two looks: a moment that is waited for is met about as exactly.
INTERVAL = 0.005


@dataclass(frozen=True)
class Running:
    """A process of `command`, and the file that takes what the process says, errors included."""

    command: Sequence[str | Path]
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        """What the process has said so far."""
        return self.log.read_text(errors="replace")

    def wait_until(self, happened: Callable[[], bool], deadline: float = DEADLINE) -> None:
        """Return as soon as `happened` is true; fail where the process ends before, or after `deadline` seconds."""
        end = time.monotonic() + deadline
        while not happened():
            # What it did last may have happened behind the look above.
            if self.process.poll() is not None and not happened():
                self._fail(f"ended with {self.process.returncode} before what was waited for")
            if time.monotonic() > end:
                self._fail(f"has not come to what was waited for within {deadline:g} s")
            time.sleep(INTERVAL)

    def finish(self, deadline: float = DEADLINE) -> tuple[int, str]:
        """Return the exit code and what the process said; fail after `deadline` seconds, or where it crashed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(deadline)
        code, said = self.process.returncode, self.said
        if code is None:
            self._fail(f"still runs after {deadline:g} s")
        if "Traceback (most recent call last)" in said:
            self._fail("crashed")
        return code, said

    def kill(self) -> None:
        """Kill the process by SIGKILL, as the kernel does; fail where the process had ended before."""
        self.process.kill()
        # Nothing delays this signal but a device that does not answer.
        if self.process.wait(DEADLINE) != -signal.SIGKILL:
            self._fail(f"ended with {self.process.returncode} before it was killed")

    def _fail(self, reason: str) -> NoReturn:
        command = shlex.join(map(str, self.command))
        pytest.fail(f"{command}\n{reason}; it said:\n{self.said}", pytrace=False)


def wait_until(happened: Callable[[], bool]) -> None:
    """Return as soon as `happened` is true, in another thread; fail after `DEADLINE` seconds."""
    end = time.monotonic() + DEADLINE
    while not happened():
        if time.monotonic() > end:
            pytest.fail(f"what was waited for has not happened within {DEADLINE:g} s")
        time.sleep(INTERVAL)


@contextmanager
def running(
    *command: str | Path,
    folder: Path = ROOT,
    output: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """Start `command` in `folder` with these changes of the environment; at the end, kill whatever still runs of it.

    What it says goes to the open file `output`, if that is given, which then has to be read.
    """
    with NamedTemporaryFile("ab", suffix=".log") as log:
        # A file for its words, not a pipe, so that it waits for no reader; a group for it, to end its children too.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log if output is None else output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Running(command, process, Path(log.name))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(DEADLINE)


def run(
    *command: str | Path,
    folder: Path = ROOT,
    deadline: float = DEADLINE,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, str]:
    """Run `command` to its end: the exit code and all that it says.

    Fails after `deadline` seconds, or where it crashed.
    """
    with running(*command, folder=folder, environment=environment) as process:
        return process.finish(deadline)
