"""Graphs that are built side by side lie in the cache as if they had been built here.

What goes wrong is left to whoever asks for the graph.
"""

import pickle
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tf_reference import building
from tf_reference.graph import REFERENCE, GraphSpec, ReferenceGraph
from tf_reference.official import Source


@pytest.fixture
def wanted(source: Source, small: GraphSpec) -> list[building.Wanted]:
    """Two graphs, of which the second cannot be built."""
    return [(REFERENCE, source, small), (REFERENCE, source, replace(small, variant="none"))]


def test_they_are_what_is_built_here(
    wanted: list[building.Wanted], graph: ReferenceGraph, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source, small = wanted[0]
    assert building.missing(wanted) == wanted
    building.build(wanted, 2)
    assert building.missing(wanted) == wanted[1:]
    built = REFERENCE.path(source, small).read_bytes()
    monkeypatch.undo()
    assert built == REFERENCE.path(source, small).read_bytes()


def test_a_cache_that_cannot_be_written(
    wanted: list[building.Wanted], empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the folder that takes its place, which is one of this process."""
    monkeypatch.setattr(building, "PROGRAM", building.PROGRAM.replace("kind.get(", "kind.path(").rstrip() + ".touch()")
    empty_cache.touch()
    with pytest.warns(UserWarning, match="cannot be written, and so is not used"):
        assert building.missing(wanted) == wanted
    building.build(wanted[:1], 2)
    assert building.missing(wanted) == wanted[1:]


@pytest.mark.parametrize("program", ["", "raise SystemExit(3)"])
def test_a_process_that_reads_nothing(
    program: str, wanted: list[building.Wanted], empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PROGRAM", program)
    monkeypatch.setattr(pickle, "dumps", lambda _value: bytes(1 << 20))
    building.build(wanted, 2)
    assert building.missing(wanted) == wanted


def test_no_process_can_be_started(wanted: list[building.Wanted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    building.build(wanted, 2)


def test_who_stops_it_leaves_no_process(wanted: list[building.Wanted], monkeypatch: pytest.MonkeyPatch) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    start = building._start

    def stopped() -> "subprocess.Popen[bytes]":
        if processes:
            raise KeyboardInterrupt
        processes.append(start())
        return processes[0]

    monkeypatch.setattr(building, "PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(building, "_start", stopped)
    with pytest.raises(KeyboardInterrupt):
        building.build(wanted, 2)
    assert processes[0].returncode == -signal.SIGTERM
