"""The documented way to find the commit that broke a port: git names it, in a history in which it is planted."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parity.starting import ROOT
from tests.test_docs import COMMANDS_OF_DOCUMENTS

pytestmark = pytest.mark.slow

PORT = """from pnasnet_torch import pnasnet_mobile


def make():
    model = pnasnet_mobile()
    return model
"""
PLANTED = PORT.replace("    return", "    model.conv0_bn.eps = 1e-5\n    return")
# The commits by their subjects. git looks first at the one in the middle, which is broken.
HISTORY = {
    "A port": PORT,
    "Notes": f"# A port.\n{PORT}",
    "A mistake": f"import no_such_module\n{PORT}",
    "The mistake taken back": PORT,
    "Another epsilon": PLANTED,
    "More notes": f"# A port of Mobile.\n{PLANTED}",
}
# Two layers of the smallest network that there are digests of: the planted one is among them.
NARROW = {
    "-k exact": "-k 'exact and conv0'",
    "mypackage.models:pnasnet5large": "port:make --variant mobile --image-size 97x131",
}
Git = Callable[[str], str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs a command of git, as a shell takes it, in a repository with that history; returns what it says."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    modules = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PATH": os.pathsep.join(paths), "PYTHONPATH": os.pathsep.join(filter(None, modules))}
    # Nobody's own settings, such as signatures.
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@b.c"}

    def run(command: str) -> str:
        words = ["bash", "-c", f"git {command}"]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("init --quiet .")
    (tmp_path / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    for subject, port in HISTORY.items():
        (tmp_path / "port.py").write_text(port)
        run("add --all")
        run(f"commit --quiet --message {shlex.quote(subject)}")
    return run


def documented() -> str:
    """The arguments of the documented `git bisect run`, for a few layers; inside its quotes, those are double ones."""
    (command,) = (line for _, line in COMMANDS_OF_DOCUMENTS if line.startswith("git bisect run "))
    for part, narrow in NARROW.items():
        assert part in command
        command = command.replace(part, narrow.replace("'", '"'))
    return command.removeprefix("git ")


def named(said: str) -> str:
    """The subject of the first bad commit, as git shows it below its hash."""
    _, found, commit = said.partition(" is the first bad commit\n")
    assert found, said
    return next(line.strip() for line in commit.splitlines() if line.startswith("    "))


def test_git_names_the_commit_that_broke_the_port(git: Git) -> None:
    """And skips the one that cannot be imported, though it looks at that first."""
    git("bisect start HEAD HEAD~5")
    assert named(git(documented())) == "Another epsilon"
    log = git("bisect log").splitlines()
    assert [line.partition("] ")[2] for line in log if line.startswith("# skip: ")] == ["A mistake"]
    git("bisect reset")
    assert git("status --short") == ""


def test_without_the_shell_git_names_the_commit_that_cannot_be_imported(git: Git) -> None:
    """What the documents say, and why the command is as long as it is."""
    git("bisect start HEAD HEAD~5")
    plain = documented().partition("'")[2].partition(";")[0]
    assert named(git(f"bisect run {plain}")) == "A mistake"


def test_a_suite_that_cannot_run_ends_the_search(git: Git) -> None:
    """It says nothing of the port, so no commit is named."""
    git("bisect start HEAD HEAD~5")
    with pytest.raises(AssertionError, match="exit code 255"):
        git(documented().replace("pytest --pyargs", "no-such-program --pyargs"))
