"""The process of the official networks gives what they give here, and whatever ends it is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS, Specification
from parity.reference.live import LiveReference
from parity.reference.process import OfficialProcess
from parity.reference.remote import RemoteReference
from tests.parity.starting import USAGE_ERROR, start
from tests.waiting import wait_until
from tf_reference.graph import describe

NETWORK = Network("mobile", 65, 65)
SPECIFICATION = Specification((NETWORK,), None, (PHOTOGRAPHS / "chelsea.jpg",), ("official",), 0, 1)
LAYERS = ["conv0", "conv0_bn", "cell_stem_0.relu"]
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# A process that starts one of the official networks', says its number, and waits.
PARENT = """
import time
from tests.parity.reference.test_process import SPECIFICATION, started
print(started()._process.pid, flush=True)
time.sleep(600)
"""


def started() -> OfficialProcess:
    return OfficialProcess(SPECIFICATION)


@pytest.fixture(scope="module")
def process() -> Iterator[OfficialProcess]:
    """Give a process that no test ends."""
    process = started()
    yield process
    process.close()


@pytest.fixture(scope="module")
def live() -> LiveReference:
    return LiveReference(SPECIFICATION)


@pytest.fixture(scope="module")
def remote(live: LiveReference, process: OfficialProcess) -> RemoteReference:
    return RemoteReference(live, process)


@DTYPES
def test_the_checkpoint_s_values_are_the_same_bits(live: LiveReference, remote: RemoteReference, dtype: str) -> None:
    graph = live.graph(NETWORK, dtype)
    assert describe(remote.graph(NETWORK, dtype)) == describe(graph)
    images = live.images(NETWORK)
    assert np.array_equal(remote.images(NETWORK), images)
    variables, same = remote.variables(NETWORK, graph), live.variables(NETWORK, graph)
    assert variables.keys() == same.keys()
    assert all(np.array_equal(variables[name], same[name]) for name in same)
    here, there = live.open(NETWORK, graph, LAYERS), remote.open(NETWORK, graph, LAYERS)
    for run in (here, there):
        run.assign(variables)
    expected = here.run(images, LAYERS)
    for values in (dict(there.values(images, LAYERS)), there.run(images, LAYERS)):
        assert list(values) == LAYERS
        assert all(values[layer].tobytes() == expected[layer].tobytes() for layer in LAYERS)
    inputs = [expected["conv0"] + 1]
    assert np.array_equal(there.replay("conv0_bn", inputs), here.replay("conv0_bn", inputs))
    here.close()
    there.close()


@DTYPES
def test_the_integers_are_the_same(live: LiveReference, remote: RemoteReference, dtype: str) -> None:
    """Those that either side makes, and those that the process is sent."""
    graph = live.graph(NETWORK, dtype)
    variables, images = remote.exact_inputs(NETWORK, graph)
    run = remote.open(NETWORK, graph, LAYERS)
    values = []
    for sent in (variables, dict(variables)):
        run.assign_exact(sent)
        values.append(run.run(images, LAYERS))
    # Other weights than its own are not taken for these.
    run.assign_exact({name: array * 2 if name == "conv0/weights" else array for name, array in variables.items()})
    doubled = run.run(images, LAYERS)
    run.close()
    assert all(np.array_equal(values[0][layer], values[1][layer]) for layer in LAYERS)
    assert np.array_equal(values[0]["conv0"] * 2, doubled["conv0"])


def test_values_that_nobody_takes_are_freed(remote: RemoteReference) -> None:
    graph = remote.graph(NETWORK, "float32")
    run = remote.open(NETWORK, graph, LAYERS)
    run.assign(remote.variables(NETWORK, graph))
    values = run.values(remote.images(NETWORK), LAYERS)
    assert isinstance(values, Generator)
    assert next(values)[0] == "conv0"
    # What else is asked meanwhile comes in between.
    assert remote.preprocessed(NETWORK, "chelsea.jpg").pixels.shape == (1, 65, 65, 3)
    assert next(values)[0] == "conv0_bn"
    values.close()
    run.close()


def test_errors_are_told_as_here(process: OfficialProcess, remote: RemoteReference) -> None:
    graph = remote.graph(NETWORK, "float32")
    run = remote.open(NETWORK, graph, LAYERS)
    with pytest.raises(InputError, match=r"conv0/weights: expected shape .* found nothing"):
        run.assign({})
    run.close()
    with pytest.raises(RuntimeError, match=r"(?s)the official network fails:.*KeyError: 'no such image'"):
        remote.preprocessed(NETWORK, "no such image")
    with pytest.raises(RuntimeError, match="has no attribute 'no_such_function'"):
        process.ask("no_such_function")


def test_a_warning_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a cache that cannot be written: both processes use the same folder in its place."""
    monkeypatch.setenv("PNASNET_PARITY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").touch()
    with pytest.warns(UserWarning, match="cannot be written, and so is not used"):
        assert LiveReference(SPECIFICATION).official_sources
    process = started()
    with pytest.warns(UserWarning, match="cannot be written, and so is not used"):
        process.ask("graph", NETWORK, "float32")
    process.close()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_process_that_was_killed() -> None:
    process = started()
    process.ask("images", NETWORK)
    os.kill(process._process.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(InputError, match="was killed, as most often happens where memory is short: judge fewer"):
            process.ask("images", NETWORK)
    process.close()


def test_a_process_that_ends_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; sys.stdin.buffer.read(1); sys.exit('planted')"
    monkeypatch.setattr("parity.reference.process.PROGRAM", program)
    process = started()
    with pytest.raises(RuntimeError, match="has ended with code 1:\nplanted"):
        process.ask("images", NETWORK)
    process.close()


def test_a_process_that_gives_no_replies_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import time; print('no reply', flush=True); time.sleep(600)"
    monkeypatch.setattr("parity.reference.process.PROGRAM", program)
    monkeypatch.setattr("parity.reference.process.DYING", 0.1)
    process = started()
    with pytest.raises(RuntimeError, match="gave what is no reply"):
        process.ask("images", NETWORK)
    process.close()


def test_values_that_are_left_behind_need_no_process(live: LiveReference) -> None:
    """As of a run that breaks off: they are freed when Python comes to it."""
    process = started()
    remote = RemoteReference(live, process)
    graph = remote.graph(NETWORK, "float32")
    run = remote.open(NETWORK, graph, LAYERS)
    run.assign(remote.variables(NETWORK, graph))
    values = run.values(remote.images(NETWORK), LAYERS)
    assert next(values)[0] == "conv0"
    process.close()
    assert isinstance(values, Generator)
    values.close()
    run.close()


def test_closing_ends_it_whatever_it_is_at(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it said is passed on."""
    program = "import sys, time; print('noise', file=sys.stderr, flush=True); time.sleep(600)"
    monkeypatch.setattr("parity.reference.process.PROGRAM", program)
    process = started()
    wait_until(lambda: process._told() == "noise\n")
    process.close()
    process.close()
    assert process._process.returncode == -signal.SIGKILL
    assert capsys.readouterr().err == "noise\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_it_ends_with_the_process_that_started_it() -> None:
    """Even where that is killed."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = Path("/proc") / parent.stdout.readline().strip()
        assert child.exists()
        parent.kill()
    wait_until(lambda: not child.exists())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_run_whose_process_is_killed_ends_and_says_so(tmp_path: Path) -> None:
    plugin = """
import os, signal
from parity.plugin.configuring import PROCESS

def pytest_collection_finish(session):
    os.kill(session.config.stash[PROCESS]._process.pid, signal.SIGKILL)
"""
    code, said = start(tmp_path, "--variant=mobile", "--image-size=65", "-k", "conv0", plugin=plugin)
    assert code == USAGE_ERROR, said
    assert "the process of the official network was killed, as most often happens where memory is short" in said
