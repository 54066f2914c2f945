"""What has to be done before any test, and what is made once for all of them."""

import gc
import importlib.util
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.parity.report import browser
from tf_reference.cache import cache_root

Once = Callable[[str, Callable[[Path], None]], Path]
# Seconds of processor time that a test, or what is set up for it, may take unless it is marked slow: those of the clock
# depend on what else the machine does, and two tests at a time take up to twice as many of these as one alone.
LONGEST = 30.0
# Seconds of processor time that a million turns of an empty loop take on the machine that those are of.
LOOP = 0.015
# Seconds after which a test has hung, on a machine however busy.
HUNG, SLOW_HUNG = 300, 1800
USED = pytest.StashKey[dict[str, float]]()
CACHED = pytest.StashKey[int]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fail a test of the suite itself that warns; what people's runs warn of is shown, and changes nothing."""
    # A shell lets what it starts in the background ignore this signal, by which tests stop commands.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Not before: other people's plugins may warn while they are configured.
    session.config.addinivalue_line("filterwarnings", "error")
    # PyTorch's compiler, on that one version.
    session.config.addinivalue_line("filterwarnings", "ignore:Guards may run slower on Python 3.13.0:RuntimeWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test a deadline."""
    for item in items:
        is_slow = item.get_closest_marker("slow") or item.get_closest_marker("official")
        item.add_marker(pytest.mark.timeout(SLOW_HUNG if is_slow else HUNG))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: each pytest that a test runs here calls it five times."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    started = processor_seconds()
    item.stash[CACHED] = cached_files()
    yield
    item.stash[USED] = {"what is set up for it": processor_seconds() - started}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that takes long, and is not marked slow: it would make every run of the fast tests longer."""
    started = processor_seconds()
    yield
    item.stash[USED]["the test"] = processor_seconds() - started
    # Official graphs and checkpoints that were not there yet are made once for each machine.
    made = cached_files() != item.stash[CACHED]
    if made or item.get_closest_marker("slow") or item.get_closest_marker("official"):
        return
    for what, seconds in item.stash[USED].items():
        if seconds > LONGEST and seconds > LONGEST * pace():
            took = f"{what} took {seconds:.1f} s of processor time, at most {LONGEST:g} s are allowed"
            pytest.fail(f"{took}: make it shorter, or mark the test slow", pytrace=False)


def cached_files() -> int:
    """How many files the project's cache holds; none where the tests of the port run alone, which make none."""
    if importlib.util.find_spec("platformdirs") is None:
        return 0
    return sum(1 for _ in cache_root().rglob("*"))


def pace() -> float:
    """How many times as much processor time everything takes here and now; that of a busy machine counts less."""
    started = time.process_time()
    for _ in range(1_000_000):
        pass
    return (time.process_time() - started) / LOOP


def processor_seconds() -> float:
    """What this process has used, and those that it started and that have ended."""
    return sum(os.times()[:4])


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """The folder of a name, filled by whichever of the run's processes asks first; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, fill: Callable[[Path], None]) -> Path:
        folder, filled = base / name, base / f"{name}.filled"
        with FileLock(base / f"{name}.lock"):
            if not filled.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                filled.touch()
        return folder

    return made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say behind everything else which tests a missing browser kept from being run."""
    yield
    browser.write_summary(terminalreporter, browser.required(os.environ))
