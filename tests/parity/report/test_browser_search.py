"""The search for a browser: what is tried, in which order, and what is said."""

import os
import sys

import pytest

from tests.parity.report.browser import (
    APT_INSTALL,
    APT_UPDATE,
    NAMES,
    PLAYWRIGHT,
    VARIABLE,
    places,
    required,
    search,
)
from tests.parity.report.computer import Computer


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_on_the_path_is_found(computer: Computer, name: str) -> None:
    """Whatever its name. It takes neither a step worth telling, nor any command."""
    path = computer.add(name)
    assert search(computer.machine()).path == path
    assert computer.commands == search(computer.machine()).steps == computer.said == []


@pytest.mark.skipif(sys.platform == "darwin", reason="this computer has applications of its own")
def test_what_is_on_the_path_comes_first(computer: Computer) -> None:
    """Then what installers put elsewhere, then what Playwright has downloaded."""
    application = computer.folder / "home/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    expected = [computer.add(path) for path in ("chromium", "msedge", application, computer.downloaded)]
    for path in expected:
        assert search(computer.machine(platform="darwin")).path == path
        os.remove(path)


def test_windows_has_folders_of_its_own(computer: Computer) -> None:
    machine = computer.machine(platform="win32")
    paths = places(machine)
    assert r"C:\Program Files\Google\Chrome\Application\chrome.exe" in paths
    assert r"C:\Local\Microsoft\Edge\Application\msedge.exe" in paths
    assert not any("Applications" in path or "None" in path for path in paths)


def test_a_broken_browser_is_passed_over(computer: Computer) -> None:
    """And said, but nothing is installed where another starts."""
    broken, path = computer.add("chromium"), computer.add("google-chrome")
    computer.broken = {"chromium"}
    result = search(computer.machine(root=True))
    assert (result.path, result.steps) == (path, [f"{broken} does not start: it lacks a library"])
    assert computer.commands == []


def test_a_broken_browser_alone_is_as_none(computer: Computer) -> None:
    """Its reason is said once, although it is tried again behind what was installed in vain."""
    broken = computer.add("chromium")
    computer.broken = {"chromium"}
    computer.installs = {" ".join(PLAYWRIGHT[0][:2]): ""}
    result = search(computer.machine())
    assert (result.path, computer.commands) == ("", [PLAYWRIGHT[0]])
    assert computer.started == [("chromium", True), ("chromium", False)] * 2
    assert result.steps[0] == f"{broken} does not start: it lacks a library"
    assert len(result.steps) == 2


def test_without_a_browser_both_ways_are_tried(computer: Computer) -> None:
    """As root on Debian: each once, in that order; what is done is said before and behind."""
    computer.add("apt-get")
    result = search(computer.machine(root=True))
    assert computer.commands == [PLAYWRIGHT[0], APT_UPDATE[0]]
    assert result.path == ""
    lines = result.message.splitlines()
    assert lines[0] == "no browser starts"
    assert lines[1] == "  no Chromium, Chrome or Edge was found"
    assert lines[2].endswith("-m playwright install chromium: no network")
    assert lines[3] == "  apt-get update --quiet: no network"
    assert lines[4] == f"to run these tests: apt-get install chromium (or name a browser in {VARIABLE})"
    assert "trying apt-get update --quiet, for at most 120 s" in computer.said[2]
    assert computer.said[3] == "apt-get update --quiet: no network"


def test_a_downloaded_browser_is_enough(computer: Computer) -> None:
    computer.add("apt-get")
    computer.installs = {" ".join(PLAYWRIGHT[0][:2]): str(computer.downloaded)}
    result = search(computer.machine(root=True))
    assert result.path == str(computer.downloaded)
    assert computer.commands == [PLAYWRIGHT[0]]
    assert result.steps[-1].endswith("playwright install chromium: done")


def test_where_the_downloaded_browser_does_not_start_there_is_the_package(computer: Computer) -> None:
    computer.add("apt-get")
    computer.installs = {
        " ".join(PLAYWRIGHT[0][:2]): str(computer.downloaded),
        "apt-get update": "",
        "apt-get install": "chromium",
    }
    computer.broken = {"chrome"}
    result = search(computer.machine(root=True))
    assert result.path == str(computer.folder / "bin/chromium")
    assert computer.commands == [PLAYWRIGHT[0], APT_UPDATE[0], APT_INSTALL[0]]


@pytest.mark.parametrize(("root", "advice"), [(False, "sudo apt-get install chromium"), (True, "playwright install")])
def test_the_package_takes_root_and_apt_get(computer: Computer, root: bool, advice: str) -> None:
    if not root:
        computer.add("apt-get")
    result = search(computer.machine(root=root))
    assert computer.commands == [PLAYWRIGHT[0]]
    assert advice in result.remedy


@pytest.mark.parametrize(
    ("root", "works", "tried"),
    [(True, {True, False}, [False]), (False, {True, False}, [True]), (False, {False}, [True, False])],
)
def test_the_sandbox_is_given_up_where_it_cannot_be(
    computer: Computer, root: bool, works: set[bool], tried: list[bool]
) -> None:
    """As root, or where the browser starts in no other way."""
    computer.add("chromium")
    computer.sandboxes = works
    assert search(computer.machine(root=root)).sandbox is tried[-1]
    assert computer.started == [("chromium", sandbox) for sandbox in tried]


def test_the_browser_that_is_named_is_taken(computer: Computer) -> None:
    computer.add("chromium")
    path = computer.add(computer.folder / "my browser")
    assert search(computer.machine(named=path)).path == path


@pytest.mark.parametrize(("exists", "words"), [(False, "no program"), (True, "does not start: it lacks a library")])
def test_no_other_than_the_named_is_taken(computer: Computer, exists: bool, words: str) -> None:
    """Nor installed."""
    computer.add("chromium")
    computer.broken = {"mine"}
    path = computer.add("mine") if exists else "mine"
    result = search(computer.machine(root=True, named=path))
    assert (result.path, computer.commands) == ("", [])
    assert f"{VARIABLE} is {path}, which" in result.message
    assert words in result.message
    assert f"to run these tests: name a browser that starts in {VARIABLE}, or unset it" in result.message


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"CI": ""}, False),
        ({"CI": "False"}, False),
        ({"CI": "0"}, False),
        ({"CI": "true"}, True),
        ({"CI": "1"}, True),
        ({VARIABLE: "chromium"}, True),
        ({VARIABLE: ""}, False),
    ],
)
def test_a_browser_is_required_in_ci_and_where_one_is_named(environ: dict[str, str], expected: bool) -> None:
    assert required(environ) is expected
