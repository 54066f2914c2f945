"""The computer that the tests run on, as far as the search for a browser asks it."""

import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

import pytest
from playwright.sync_api import BrowserType, Error

from tests.parity.report.browser import Machine

# Seconds in which a browser has to start, and in which a command that is given up may end by itself.
START, END = 30.0, 10.0
# apt-get and Playwright begin the lines with it that say what is wrong; what follows the first is its consequence.
WRONG = re.compile(rb"^(?:E:|Error:).*", re.MULTILINE)


def this_machine(chromium: BrowserType, say: Callable[[str], None]) -> Machine:
    """Describe this computer, by a running Playwright."""
    return Machine(
        environ=os.environ,
        platform=sys.platform,
        root=sys.platform != "win32" and os.geteuid() == 0,
        downloaded=chromium.executable_path,
        start=functools.partial(start, chromium),
        run=run,
        say=say,
    )


def start(chromium: BrowserType, path: str, sandbox: bool) -> str:
    """Start a browser and end it: why it does not start, empty where it does."""
    try:
        chromium.launch(executable_path=path, chromium_sandbox=sandbox, timeout=START * 1e3).close()
    except Error as error:
        # The last that the browser itself said, where it said anything, or Playwright's first line.
        said = re.findall(r"\[err\] (.+)", error.message)
        return said[-1] if said else error.message.partition("\n")[0]
    return ""


def run(command: Sequence[str], deadline: float) -> str:
    """Run a command for so many seconds: why it failed, empty where it did not."""
    # A file, because a pipe would be waited for as long as any descendant holds it.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                start_new_session=True,  # so that the descendants can be ended with it
            )
        except OSError as error:
            return str(error)
        try:
            code = process.wait(deadline)
        except subprocess.TimeoutExpired:
            return f"given up after {deadline:.0f} s"
        finally:
            if process.returncode is None:
                _end(process)
        return f"exit code {code}: {_wrong(output)}" if code else ""


def speaker(config: pytest.Config) -> Callable[[str], None]:
    """Return what says a line on the terminal at once, past pytest's capture and from any of its processes."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\nbrowser: {line}", file=sys.stderr, flush=True)

    return say


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command with its descendants: politely, so that apt-get leaves no lock, and then by force."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(END)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wrong(output: BinaryIO) -> str:
    """Return the line of an output that says what went wrong: the first that is marked so, or the last."""
    output.seek(0)
    said = output.read()
    marked = WRONG.search(said)
    line = marked.group() if marked else said.strip().rpartition(b"\n")[2]
    return line.decode(errors="replace")
