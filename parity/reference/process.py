"""The process that the official networks run in: TensorFlow is imported there while this one imports PyTorch and
collects tests, and neither side waits for the other's Python.
"""

import pickle
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from typing import Any

from parity.core.errors import InputError
from parity.core.specification import Specification
from parity.reference.serving import Reply
from tf_reference.cache import environment

# The code of a process that was killed (SIGKILL), as the system does to one that takes the last of its memory.
KILLED = -9
# Seconds that a process may take to end, once it has given up its pipes.
DYING = 10
# It imports what this one does, wherever that lies.
PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from parity.reference.serving import serve
serve()
"""


class OfficialProcess:
    """A process that runs the official networks of a run, from now on until it is closed."""

    def __init__(self, specification: Specification) -> None:
        """Start it. It gets ready while this process goes on."""
        # What it says is told where it fails, and else at the end: no progress bar is torn.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115, as `close` closes it
        # In a session of its own, as Ctrl-C is this process's to handle, which then ends the other.
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment(),
            start_new_session=True,
        )
        # All that is asked goes through one thread: one thing at a time, and to its end, even if who asked is stopped.
        self._asking = ThreadPoolExecutor(1)
        # Without what is told to the candidate's side alone.
        plain = Specification(**{field.name: getattr(specification, field.name) for field in fields(Specification)})
        self._begun = self._asking.submit(self._begin, plain)

    def _begin(self, specification: Specification) -> None:
        """Tell the process what it needs before it is asked for anything."""
        assert self._process.stdin
        # A process that has ended by now is noticed when it is asked.
        with suppress(OSError):
            self._process.stdin.write(pickle.dumps(sys.path))
            pickle.dump(specification, self._process.stdin, protocol=5)
            self._process.stdin.flush()

    def ask(self, function: str, *arguments: Any) -> Any:
        """Return what a function of `serving.Official` gives there.

        Raises what it raises; and InputError or RuntimeError where the process was ended.
        """
        # It would take a question for what it was to be told first.
        self._begun.result()
        reply: Reply = self._asking.submit(self._exchange, function, arguments).result()
        for warning in reply.warnings:
            warnings.warn(warning, stacklevel=2)
        if reply.error:
            raise reply.error
        return reply.value

    def free(self, function: str, number: int) -> None:
        """Have what goes by a number freed by a function there. A process that was closed has freed all."""
        if not self._said.closed:
            self.ask(function, number)

    def _exchange(self, function: str, arguments: tuple[Any, ...]) -> Reply:
        """Ask, and return the reply."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump((function, arguments), self._process.stdin, protocol=5)
            self._process.stdin.flush()
            reply: Reply = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):  # of a process that has ended, some within a reply
            return Reply(error=self._ended())
        return reply

    def _ended(self) -> Exception:
        """Return the error of a process that has ended without being told to, or that gives no replies any more."""
        try:
            code = self._process.wait(DYING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return RuntimeError(f"the process of the official network gave what is no reply:\n{self._told()}")
        if code == KILLED:
            return InputError(
                "the process of the official network was killed, as most often happens where memory is short: "
                "judge fewer networks at a time (--image-size, --variant), or give the machine more"
            )
        return RuntimeError(f"the process of the official network has ended with code {code}:\n{self._told()}")

    def _told(self) -> str:
        """Return what the process said on its standard error."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def close(self) -> None:
        """End the process, whatever it is at; what it said is passed on."""
        if self._said.closed:
            return
        # It has nothing that could be lost: what it writes is put in its place at once or not at all.
        self._process.kill()
        self._process.wait()
        self._asking.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent any more
                pipe.close()  # type: ignore[union-attr]
        print(self._told(), end="", file=sys.stderr)
        self._said.close()
