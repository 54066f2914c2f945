"""pytest's hooks and fixtures; each delegates to parity/."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parity import cases, environment, options, plugin, terminal
from parity.result import LayerResult


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return plugin.ignored(collection_path, config)


def pytest_configure(config: pytest.Config) -> None:
    plugin.configure(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return environment.header(config.stash[cases.OPTIONS])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases.generate_cases(metafunc)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    cases.drop_other_gates(items, config)
    cases.sort_items(items, config.stash[cases.OPTIONS])


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[cases.DESELECTED] += cases.cases(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    cases.check_selection(session)


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    return terminal.status(report)


@pytest.hookimpl(trylast=True)  # behind the fixtures' end, which gives the last verdict
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    plugin.write_report(session, exitstatus)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    terminal.write_verdict(terminalreporter, config)
    yield
    terminal.write_summary(terminalreporter, config)
    for line in plugin.report_lines(config):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def parity_session(request: pytest.FixtureRequest) -> Iterator[object]:
    with plugin.running(request.session) as session:
        yield session


@pytest.fixture
def verdict(request: pytest.FixtureRequest, case: cases.Case) -> LayerResult:
    plugin.skip_unseen(case, request.node)
    return plugin.judge(request.getfixturevalue("parity_session"), case, request.session)
