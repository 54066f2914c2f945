"""pytest's hooks and fixtures; each delegates to what lies beside it."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.core.layers import Case
from parity.core.result import LayerResult
from parity.plugin import cases, configuring, examining, header, running, terminal
from parity.plugin.others import refused, shown_at_the_end


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files of the suite aside whose tests the run does not ask for."""
    return configuring.ignored(collection_path, config)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options."""
    # They may bring in a candidate, and what that imports.
    with shown_at_the_end(config), refused():
        configuring.configure(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say above the tests what is compared."""
    with refused():
        return header.header(config.stash[cases.OPTIONS], config.stash[cases.TAKEN])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each case of a test."""
    # The port's layers are read off a model: that brings in PyTorch, which may warn.
    with shown_at_the_end(metafunc.config):
        cases.generate_cases(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k` find the item by its gate."""
    cases.describe_item(item)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselect tests that have no case."""
    cases.drop_other_gates(items, config)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Keep the cases that are not selected, of which one serves as an example where none is."""
    if items:
        items[0].config.stash[cases.DESELECTED] += cases.cases(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Let the garbage collector leave alone what was imported: it stays to the end."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before the terminal lists them, and behind every plugin that gives them an order
def pytest_collection_finish(session: pytest.Session) -> None:
    """Sort the selected items, and refuse a selection of nothing, and inputs that cannot be used."""
    # The items stay, too.
    gc.freeze()
    stash = session.config.stash
    cases.sort_items(session.items, stash[cases.OPTIONS], stash[cases.PLACES])
    cases.check_selection(session)
    with shown_at_the_end(session.config), refused():
        examining.examine(session)


def pytest_internalerror(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Say whose error it is, where it is the suite's."""
    running.ask_for_report(excinfo.value)


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Count apart what is unobservable, and failures that others explain."""
    return terminal.status(report)


@pytest.hookimpl(
    wrapper=True, trylast=True
)  # within pytest's own, which turns warnings into errors where it is told to
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """Write the report."""
    with shown_at_the_end(session.config):  # pytest warns where it can keep no cache
        yield
        # Behind the fixtures' end, which gives the last verdict.
        running.finish(session, exitstatus)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """Write the verdict above all that pytest says at the end, and the table of gates below."""
    terminal.write_verdict(terminalreporter, config)
    yield
    terminal.write_summary(terminalreporter, config)
    for line in (*running.report_lines(config), *running.broken_lines(config)):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def parity_session(request: pytest.FixtureRequest) -> Iterator[object]:
    """Return the session that computes what the run's items ask for."""
    with running.running(request.session) as session:
        yield session


@pytest.fixture
def verdict(request: pytest.FixtureRequest, case: Case) -> LayerResult:
    """Return the layer result of the test's case."""
    # First, as what is skipped needs no session: that would be opened for nothing.
    running.skip_unobservable(case, request.node)
    return running.judge(request.getfixturevalue("parity_session"), case, request.session)
