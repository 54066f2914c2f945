"""pnasnet-parity: every command ends by the same rules."""

from collections.abc import Sequence

import pytest

from parity.__main__ import COMMANDS, PROG, main
from parity.core.command import BROKEN, STOPPED, USAGE_ERROR, Parser, run
from parity.core.errors import InputError
from pnasnet_torch.errors import WeightsError


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
