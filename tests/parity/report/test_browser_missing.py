"""The search for a browser on a real computer, and what a run of tests makes of a missing one."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserType

from tests.parity.report.browser import PLAYWRIGHT, VARIABLE, Machine
from tests.parity.report.computer import Computer
from tests.parity.report.machine import run, start

pytest_plugins = ["pytester"]
PageRun = Callable[..., pytest.RunResult]
CONFTEST = """
    import pytest
    from tests.conftest import once, pytest_terminal_summary
    from tests.parity.report.conftest import browser_search, chromium, pytest_itemcollected

    @pytest.fixture(scope="session")
    def browser_type():
        return None
"""
PAGE = """
    import pytest
    from tests.parity.report.test_browser import test_a_browser_is_there

    @pytest.fixture(scope="session")
    def report():
        raise RuntimeError("a report was made in vain")

    def test_page(report, chromium):
        pass

    @pytest.mark.parametrize("place", [1, 2])
    def test_place(report, chromium, place):
        pass
"""


def test_a_command_that_hangs_is_given_up(tmp_path: Path) -> None:
    """With its descendants: the one that would leave a file behind does not live to do so."""
    left = tmp_path / "left"
    started = time.perf_counter()
    assert run(("sh", "-c", f"(sleep 2; touch '{left}') & sleep 60"), 0.5) == "given up after 0 s"
    assert time.perf_counter() - started < 20
    time.sleep(2)
    assert not left.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 0", ""),
        ("echo one; echo two; exit 3", "exit code 3: two"),
        ("echo Get:1; echo E: no such package >&2; echo gone; exit 100", "exit code 100: E: no such package"),
    ],
)
def test_a_command_that_fails_says_why(script: str, reason: str) -> None:
    assert run(("sh", "-c", script), 30) == reason


def test_a_command_that_is_not_there_fails() -> None:
    assert "no-such-command" in run(("no-such-command",), 30)


def test_a_program_that_is_no_browser_does_not_start(tmp_path: Path, browser_type: BrowserType) -> None:
    """By Playwright's own word: the reason is what the program says."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho it lacks a library >&2\nexit 1\n")
    program.chmod(0o755)
    assert start(browser_type, str(program), sandbox=False) == "it lacks a library"


@pytest.fixture
def page_run(computer: Computer, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> PageRun:
    """Runs tests of a page on that computer, where a report would be an error."""

    def this_computer(browser_type: BrowserType, say: Callable[[str], None]) -> Machine:
        return computer.machine()

    def start(*arguments: str, ci: str = "") -> pytest.RunResult:
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr("tests.parity.report.conftest.this_machine", this_computer)
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(PAGE)
        return pytester.runpytest_inprocess("--color=yes", "-p", "no:cacheprovider", *arguments)

    return start


def test_without_a_browser_tests_are_reported_as_not_run(page_run: PageRun) -> None:
    """With the reason and the command, in yellow behind everything else, and no report is made for them."""
    result = page_run()
    assert result.ret == 0
    result.assert_outcomes(skipped=4)
    expected = [
        "\x1b[33m*= browser =*",
        "\x1b[33m4 tests of the report's page were not run: no browser starts*",
        "\x1b[33m  no Chromium, Chrome or Edge was found*",
        "\x1b[33m  *playwright install chromium: no network*",
        "\x1b[33mto run these tests: *",
        "*4 skipped*",
    ]
    result.stdout.fnmatch_lines(expected, consecutive=True)


def test_in_ci_a_missing_browser_is_one_failure(page_run: PageRun, computer: Computer) -> None:
    result = page_run(ci="true")
    assert result.ret == 1
    result.assert_outcomes(failed=1, skipped=3)
    result.stdout.fnmatch_lines(["no browser starts", "\x1b[31m*= browser =*", "\x1b[31m3 tests of * were not run*"])
    assert computer.commands == [PLAYWRIGHT[0]]


def test_a_browser_that_was_installed_is_told(page_run: PageRun, computer: Computer) -> None:
    computer.installs = {" ".join(PLAYWRIGHT[0][:2]): str(computer.downloaded)}
    result = page_run("-k", "a_browser_is_there")
    result.assert_outcomes(passed=1, deselected=3)
    expected = [
        f"the tests of the report's page run in {computer.downloaded}",
        "  no Chromium, Chrome or Edge was found",
        "  *playwright install chromium: done",
    ]
    result.stdout.fnmatch_lines(expected, consecutive=True)


def test_a_browser_that_was_there_is_not_worth_a_word(page_run: PageRun, computer: Computer) -> None:
    computer.add("chromium")
    result = page_run("-k", "a_browser_is_there")
    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.no_fnmatch_line("*= browser =*")
