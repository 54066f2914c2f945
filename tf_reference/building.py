"""Builds official graphs side by side, so that they lie in the cache when they are asked for."""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from tf_reference.cache import environment
from tf_reference.graph import GraphSpec
from tf_reference.graph_cache import GraphKind
from tf_reference.official import Source

# A graph that may be in the cache or not.
Wanted = tuple[GraphKind, Source, GraphSpec]
# Each process holds TensorFlow and a graph, about a gigabyte.
MOST = 4
# The other process imports what this one does, wherever that lies.
PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
for kind, source, spec in pickle.load(sys.stdin.buffer):
    kind.get(source, spec)
"""


def missing(graphs: Sequence[Wanted]) -> list[Wanted]:
    """Return those of `graphs` that the cache lacks."""
    return [(kind, source, spec) for kind, source, spec in graphs if not kind.path(source, spec).exists()]


def build(graphs: Sequence[Wanted], processes: int) -> None:
    """Build `graphs` in so many processes, at most `MOST`, and keep them in the cache.

    One that cannot be built is passed over: it is built, and fails, where it is asked for.
    """
    count = min(processes, MOST, len(graphs))
    # Where the system allows no more processes, or one of them ends at once.
    with suppress(OSError), ExitStack() as stack:
        running = []
        for index in range(count):
            part = graphs[index::count]
            process = stack.enter_context(_start())
            # However this ends, no process is left behind.
            stack.callback(process.terminate)
            running.append(process)
            assert process.stdin
            with process.stdin as pipe:
                pipe.write(pickle.dumps(sys.path) + pickle.dumps(part))
        for process in running:
            process.wait()


def _start() -> "subprocess.Popen[bytes]":
    """Start a process that builds graphs, which it is to be told, one after the other."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
