"""Installed, the suite is a guest: it comes where a run asks for it, and any other run is as without it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from parity.plugin import loading
from parity.plugin.entry import SUITE, is_asked_for, suite_of
from tests.limits import locked
from tests.parity.starting import ROOT, USAGE_ERROR

# The script, which has no folder of its own on the path of modules, as `python -m pytest` has.
PYTEST = str(Path(sys.executable).with_name("pytest"))
# A user's tests, which look at what is loaded beside them.
USERS = """
import os, sys

def test_nothing_of_parity_is_here(pytestconfig):
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("parity", "pnasnet_torch", "tf_reference")}
    assert loaded == {"parity", "parity.plugin", "parity.plugin.entry"}
    assert not {"numpy", "tensorflow", "torch"} & sys.modules.keys()
    assert not {"TF_ENABLE_ONEDNN_OPTS", "GOMP_SPINCOUNT"} & os.environ.keys()
    assert not hasattr(pytestconfig.option, "parity_variant")
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Start pytest in a folder, where no variable names this checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GOMP", "TF_"))}
    command = [PYTEST, "-p", "no:hypothesispytest", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "Traceback (most recent call last)" not in said
    assert "INTERNALERROR" not in said
    return done.returncode, said


def asks(folder: Path, *arguments: str) -> bool:
    config = SimpleNamespace(invocation_params=SimpleNamespace(dir=folder))
    parser = pytest.Parser(_ispytest=True)
    parser.addoption("--pyargs", action="store_true")
    parser.addoption("--keyword")
    return is_asked_for(cast(pytest.Config, config), parser, list(arguments))


ASKING = [
    ["parity"],
    ["parity", "--keyword", "cell_5"],
    ["parity/"],
    ["parity/test_exact.py"],
    ["parity/test_exact.py::test_exact[mobile-224-float32-conv0]"],
    ["tests", "parity"],
    ["--variant", "mobile", "parity"],
    ["."],
    [str(ROOT / "parity")],
    ["--pyargs", "parity"],
    ["--pyargs", "parity.test_exact::test_exact"],
    ["--full-imagenet", "--limit=1"],
]


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_run_that_names_the_suite_asks_for_it(arguments: list[str]) -> None:
    assert asks(ROOT, *arguments)


NOT_ASKING = [
    [],
    ["tests"],
    ["tests/parity"],
    ["--keyword", "parity", "tests"],
    ["--pyargs", "--keyword", "parity"],
    ["no/such"],
]


@pytest.mark.parametrize("arguments", NOT_ASKING, ids=" ".join)
def test_any_other_run_does_not(arguments: list[str]) -> None:
    assert not asks(ROOT, *arguments)


def test_a_folder_of_that_name_is_not_the_suite(tmp_path: Path) -> None:
    (tmp_path / "parity").mkdir()
    assert suite_of(tmp_path / "parity") is None
    assert not asks(tmp_path, "parity")
    assert asks(tmp_path, "--pyargs", "parity")


def test_what_may_not_be_looked_into_is_not_the_suite(tmp_path: Path) -> None:
    """In anybody's run of pytest: it is pytest that says what it makes of such a place."""
    folder = other_checkout(tmp_path / "somebody")
    with locked(folder):
        assert suite_of(folder / "parity") is None
    assert suite_of(folder / "parity") == folder / "parity"


def test_a_link_that_leads_to_itself_is_not_the_suite(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert suite_of(tmp_path / "loop") is None


def other_checkout(folder: Path) -> Path:
    """Make what the suite is known by."""
    (folder / "parity/plugin").mkdir(parents=True)
    (folder / "parity/plugin/entry.py").touch()
    return folder


def test_another_checkout_is_refused_where_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        asks(ROOT, str(other_checkout(tmp_path) / "parity"))
    assert str(tmp_path / "parity") in str(caught.value)
    assert str(SUITE) in str(caught.value)


@pytest.mark.parametrize("below", [".", "deep/er"])
def test_another_checkout_is_refused_where_pytest_is_started_in_it(tmp_path: Path, below: str) -> None:
    (other_checkout(tmp_path) / below).mkdir(parents=True, exist_ok=True)
    with pytest.raises(pytest.UsageError, match="is not what would be judged"):
        loading.check_checkout(tmp_path / below)
    loading.check_checkout(ROOT / "docs")


def test_the_port_of_another_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the suite is the one that was named."""
    (tmp_path / "pnasnet_torch").mkdir()
    (tmp_path / "pnasnet_torch/__init__.py").touch()
    found = SimpleNamespace(origin=str(tmp_path / "pnasnet_torch/__init__.py"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found if name == "pnasnet_torch" else real(name))
    with pytest.raises(pytest.UsageError, match=str(tmp_path / "pnasnet_torch")):
        loading.check_checkout(ROOT)


def test_a_users_tests_do_not_notice_it(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS)
    code, said = run(tmp_path)
    assert (code, "1 passed" in said) == (0, True), said
    code, said = run(tmp_path, "--variant=mobile")
    assert (code, "unrecognized arguments: --variant=mobile" in said) == (USAGE_ERROR, True), said


def test_it_runs_in_any_folder(tmp_path: Path) -> None:
    """As a module; what is judged is said, and the command that repeats a test is one for this folder."""
    (tmp_path / "port.py").write_text(
        "from pnasnet_torch import pnasnet_mobile\n\n\n"
        "def model():\n    made = pnasnet_mobile()\n    made.conv0_bn.eps = 1e-5\n    return made\n"
    )
    chosen = ("--reference", "golden", "-k", "mobile-97x131 and conv0_bn and exact-float32")
    code, said = run(tmp_path, "--pyargs", "parity", *chosen, "--candidate", "port:model")
    assert (code, "conv0_bn: not replayed" in said) == (1, True), said
    assert f" in {ROOT} (commit " in said
    assert "a closer look: pytest --pyargs parity -k 'mobile-97x131 and conv0_bn'" in said
    assert "repeat just this: pytest --pyargs 'parity.test_exact::test_exact[mobile-97x131-float32-conv0_bn]'" in said


def test_the_value_of_an_option_is_no_place_of_tests(tmp_path: Path) -> None:
    """Otherwise pytest would look for its settings beside it, and leave its cache there."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/pytest.ini").write_text("[pytest]\n")
    (tmp_path / "far/away").mkdir(parents=True)
    chosen = ("--pyargs", "parity", "--variant", "mobile", "-k", "conv0_bn and structure", "--co", "-q")
    code, said = run(tmp_path / "here", *chosen, "--report", str(tmp_path / "far/away"), "-v")
    assert code == 0, said
    assert f"rootdir: {tmp_path / 'here'}\n" in said
    assert list((tmp_path / "far").rglob("*")) == [tmp_path / "far/away"]


def test_a_second_checkout_is_not_judged_by_the_first(tmp_path: Path) -> None:
    code, said = run(other_checkout(tmp_path), "parity")
    assert code == USAGE_ERROR
    assert f"{tmp_path / 'parity'} is not what would be judged: Python imports {SUITE}." in said
