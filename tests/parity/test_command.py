"""pnasnet-parity: every command ends by the same rules."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from parity.__main__ import COMMANDS, PROG, main
from parity.core.command import BROKEN, FAILED, STOPPED, USAGE_ERROR, Parser, run, whole_number
from parity.core.errors import InputError, JobError
from parity.reference.trace.store import Writer
from pnasnet_torch.errors import WeightsError
from tests.parity.starting import ROOT


@pytest.mark.parametrize("error", [InputError("a.h5 is none"), WeightsError("a.h5 is none"), OSError("a.h5 is none")])
def test_what_cannot_be_used_is_said_in_a_sentence(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_arguments: Sequence[str] | None) -> int:
        raise error

    assert run(fails, "pnasnet-parity x") == USAGE_ERROR
    assert capsys.readouterr().err == "pnasnet-parity x: a.h5 is none\n"


def test_a_command_that_is_stopped_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(_arguments: Sequence[str] | None) -> int:
        raise KeyboardInterrupt

    assert run(stopped, "pnasnet-parity x") == STOPPED
    assert capsys.readouterr().err == "pnasnet-parity x: stopped\n"


def test_the_systems_error_is_told_without_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_arguments: Sequence[str] | None) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/some/file")

    assert run(fails, "pnasnet-parity x") == USAGE_ERROR
    assert capsys.readouterr().err == "pnasnet-parity x: /some/file: Permission denied\n"


def test_a_job_that_fails_is_no_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_arguments: Sequence[str] | None) -> int:
        raise JobError("it was in vain")

    assert run(fails, "pnasnet-parity x") == FAILED
    assert capsys.readouterr().err == "pnasnet-parity x: it was in vain\n"


def test_sigterm_stops_as_ctrl_c_does(capsys: pytest.CaptureFixture[str]) -> None:
    """So what is half written is removed."""
    handler = signal.getsignal(signal.SIGTERM)

    def terminated(_arguments: Sequence[str] | None) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    assert run(terminated, "pnasnet-parity x") == STOPPED
    assert capsys.readouterr().err == "pnasnet-parity x: stopped\n"
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace whose provenance has characters that ASCII lacks, and lines of more than 40 characters."""
    writer = Writer(tmp_path / "some.h5")
    writer.finish({"provenance": {"images": "naïve.jpg", "cpu": "x" * 100}, "recorded": {}, "graphs": {}})
    writer.close()
    return tmp_path / "some.h5"


def shell(command: str, **environment: str) -> tuple[int, str]:
    """Run a command of the shell, in which $PARITY is pnasnet-parity; return its exit code and all that it says."""
    environment |= {"PARITY": f"{sys.executable} -m parity"}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, env=os.environ | environment, capture_output=True
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_nobody_reads_on(trace: Path) -> None:
    """Here, from the start: as behind `| head`, nothing is said of it."""
    for arguments in ("--help", f"trace info {trace}"):
        assert shell(f"$PARITY {arguments} | true; exit ${{PIPESTATUS[0]}}") == (STOPPED, "")


def test_the_output_is_full(trace: Path) -> None:
    code, said = shell(f"$PARITY trace info {trace} > /dev/full")
    assert (code, said) == (USAGE_ERROR, "pnasnet-parity trace: [Errno 28] No space left on device\n")


def test_what_cannot_be_shown_is_escaped(trace: Path) -> None:
    code, said = shell(f"$PARITY trace info {trace}", PYTHONIOENCODING="ascii")
    assert (code, "images: na\\xefve.jpg" in said) == (0, True)


def test_nothing_is_cut_in_40_columns(trace: Path) -> None:
    code, said = shell(f"$PARITY trace info {trace}", COLUMNS="40", NO_COLOR="1")
    assert (code, f"cpu: {'x' * 100}\n" in said) == (0, True)


def test_an_error_of_its_own_is_none_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_arguments: Sequence[str] | None) -> int:
        return 1 // 0

    assert run(broken, "pnasnet-parity x") == BROKEN
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("ZeroDivisionError: ")
    assert last.startswith("pnasnet-parity x: this is an error of pnasnet-parity itself and says nothing of what was ")


def test_a_lack_of_memory_is_no_error_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def hungry(_arguments: Sequence[str] | None) -> int:
        raise MemoryError

    assert run(hungry, "pnasnet-parity x") == USAGE_ERROR
    assert capsys.readouterr().err == "pnasnet-parity x: this machine has too little memory\n"


def test_arguments_that_are_none_end_as_any_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Parser("pnasnet-parity x").parse_args(["--none"])
    assert caught.value.code == USAGE_ERROR
    assert "pnasnet-parity x: unrecognized arguments: --none" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "exit codes: 0 all is well" in said
    program = "pnasnet-convert" if name == "convert" else f"{PROG} {name}"
    assert said.startswith(f"usage: {program} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_a_bad_argument(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--no-such-option"])
    assert caught.value.code == USAGE_ERROR
    assert "Traceback" not in capsys.readouterr().err


def test_without_a_command_those_that_there_are_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["bake"]) == USAGE_ERROR
    said = capsys.readouterr().err
    assert "no command was given: expected convert, imagenet" in said
    assert "there is no command 'bake'" in said
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in COMMANDS)


class OutOfMemoryError(RuntimeError):
    """As PyTorch has one, of a GPU."""


@pytest.mark.parametrize("error", [OutOfMemoryError("2 GiB"), RuntimeError("you can't allocate memory: 2 GiB\nmore")])
def test_a_lack_of_memory_is_known_by_whoevers_error(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_arguments: Sequence[str] | None) -> int:
        raise error

    assert run(fails, "pnasnet-parity x") == USAGE_ERROR
    assert re.fullmatch("pnasnet-parity x: this machine has too little memory: .*2 GiB\n", capsys.readouterr().err)


def test_a_stream_that_is_closed_is_done_without(trace: Path) -> None:
    assert shell(f"$PARITY trace info {trace} >&-") == (0, "")


@pytest.mark.parametrize(("text", "known"), [("1", True), ("8", True), ("0", False), ("9", False), ("x", False)])
def test_numbers_have_bounds(text: str, known: bool, capsys: pytest.CaptureFixture[str]) -> None:
    command = Parser("pnasnet-parity x")
    command.add_argument("--workers", type=whole_number(1, 8))
    if known:
        assert command.parse_args([f"--workers={text}"]).workers == int(text)
        return
    with pytest.raises(SystemExit) as ended:
        command.parse_args([f"--workers={text}"])
    assert ended.value.code == USAGE_ERROR
    assert f"--workers: {text}: expected a whole number from 1 to 8" in capsys.readouterr().err


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell leaves `~` as it is behind an equals sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    command = Parser("pnasnet-parity x")
    command.add_argument("--output", type=Path)
    assert command.parse_args(["--output=~/a"]).output == tmp_path / "a"
