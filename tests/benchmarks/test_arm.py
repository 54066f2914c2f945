"""What `benchmarks/arm.py` decides without an emulator: what passes, the tables, and what it says is missing."""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import arm, arm_system
from benchmarks.arm_checks import KERNELS, KINDS, NEON, SMALL, SVE, Check, Outcome, checks, page, run, table
from benchmarks.arm_system import Machine, MissingError, appearing

PASSED = Outcome(NEON, "golden, mobile-97x131", 1452, 0, 0, 99.6, 0, "DEFAULT")
PINNED_APART = {"torch"}


def pins(name: str) -> dict[str, str]:
    lines = (arm_system.CHECKOUT / "requirements" / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def here(*python: str) -> Machine:
    return Machine(NEON, python or (sys.executable,), os.environ | {"PYTHONPATH": str(arm_system.CHECKOUT)})


def test_a_check_passes() -> None:
    assert PASSED.problem == ""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"exit_code": 1, "failed": 3}, "FAILED (pytest's exit code 1)"),
        ({"exit_code": -11}, "FAILED: ended by SIGSEGV"),
        ({"skipped": 1}, "FAILED: some were skipped"),
        ({"passed": 0}, "FAILED: nothing was judged"),
        ({"cpu": SVE}, "FAILED: other kernels than SVE256"),
    ],
    ids=["failed", "crashed", "skipped", "nothing", "kernels"],
)
def test_what_does_not_pass(change: dict[str, str | int], problem: str) -> None:
    assert replace(PASSED, **change).problem == problem  # type: ignore[arg-type]  # of several types


def test_any_kernels_do_on_a_processor_that_was_asked_for() -> None:
    assert replace(PASSED, cpu="a64fx").problem == ""


def test_the_table_has_a_line_for_each_outcome() -> None:
    head, first, second = table([PASSED, replace(PASSED, cpu=SVE)]).splitlines()
    assert re.split(" {2,}", head) == [
        "processor",
        "PyTorch's kernels",
        "check",
        "passed",
        "failed",
        "skipped",
        "seconds",
    ]
    assert re.split(" {2,}", first) == [NEON, "DEFAULT", "golden, mobile-97x131", "1,452", "0", "0", "100", "passed"]
    assert second.endswith("FAILED: other kernels than SVE256")
    assert head.index("check") == first.index("golden") == second.index("golden")


def test_the_page_has_the_table_and_what_ran_it() -> None:
    text = page([PASSED], "Emulated by a test.")
    assert "Emulated by a test." in text
    assert text.endswith("| neoverse-n1 | DEFAULT | golden, mobile-97x131 | 1,452 | 0 | 0 | 100 | passed |\n")
    assert len({line.count("|") for line in text.splitlines() if "|" in line}) == 1


def test_the_checks_of_a_kind() -> None:
    assert [check.name for check in checks(["golden"], None)] == ["golden, mobile-97x131", "golden, large-97x131"]
    (trace,) = checks(["trace"], Path("a.h5"))
    assert trace.arguments[-2:] == ("--reference", "a.h5")
    assert {check.kind for check in checks(KINDS, Path("a.h5"))} == set(KINDS)


def test_one_processor_has_sve_and_one_has_not() -> None:
    assert sorted(KERNELS.values()) == ["DEFAULT", "SVE256"]


def test_the_versions_are_those_of_continuous_integration() -> None:
    arm_pins, ci_pins = pins("arm.txt"), pins("ci.txt")
    assert list(arm_pins) == sorted(arm_pins)
    assert {name for name in arm_pins if arm_pins[name] != ci_pins.get(name)} == PINNED_APART


def test_the_suite_is_found_where_it_is_not_installed() -> None:
    """No entry point leads to it, as in the emulated Python, which has what the tests' conftest.py takes."""
    machine = here()
    alone = replace(machine, environment={**machine.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    collect = ("--reference", "golden", "--co", "-k", "exact and conv0_bn")
    assert run(Check("golden", "collected", (*SMALL, *collect)), alone).exit_code == 0
    assert "pytest-timeout" in pins("arm.txt")


def test_outcomes_are_counted(tmp_path: Path) -> None:
    """By the plugin that the check's pytest gets, in a process of its own."""
    (tmp_path / "test_sample.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_number(number):\n"
        "    if number == 1: pytest.skip()\n"
        "    assert number\n"
    )
    outcome = run(Check("sample", "a sample", ("--noconftest", str(tmp_path))), here())
    assert (outcome.passed, outcome.failed, outcome.skipped, outcome.exit_code) == (2, 1, 1, 1)
    assert outcome.kernels != "none"


def test_a_python_that_dies_fails() -> None:
    outcome = run(Check("sample", "a sample", ()), here(sys.executable, "-c", "import os; os.abort()"))
    assert outcome.problem == "FAILED: ended by SIGABRT"


def test_a_python_that_does_not_start_is_missing() -> None:
    with pytest.raises(MissingError, match=r"failed \(3\): --cpu neoverse-n1: .* -cpu help.*\n  not here"):
        arm_system.check_start(here("sh", "-c", "echo not here; exit 3"))


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), appearing(tmp_path / "site") as folder:
        (folder / "half" / "missing").touch()
    assert not list(tmp_path.iterdir())
    with appearing(tmp_path / "site") as folder:
        (folder / "whole").touch()
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [Path("site"), Path("site/whole")]


def test_what_is_unpacked_is_not_unpacked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_system, "_unpack_debian", lambda folder, sources: (folder / "system").touch())
    monkeypatch.setattr(arm_system, "_install", Path.mkdir)
    said: list[str] = []
    folders = arm_system.unpack(tmp_path, None, said.append)
    assert len(said) == 2
    assert arm_system.unpack(tmp_path, None, said.append) == folders
    assert len(said) == 2


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_system, "EMULATOR", "no-such-emulator")
    with pytest.raises(MissingError, match="no-such-emulator is not installed: apt-get install qemu-user"):
        arm_system.require_emulator()


def test_apt_keeps_to_a_folder(tmp_path: Path) -> None:
    options = arm_system.apt_options(tmp_path, None)
    assert f"Dir::State::status={tmp_path / 'status'}" in options
    assert not [option for option in options if "sourcelist" in option]
    (tmp_path / "other").mkdir()
    options = arm_system.apt_options(tmp_path / "other", tmp_path / "bookworm.list")
    assert f"Dir::Etc::sourcelist={tmp_path / 'bookworm.list'}" in options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trace", "no.h5"], r"--trace no\.h5: there is no such file"),
        ([], r"TensorFlow is not installed here.*--trace FILE\.h5"),
        (["--docs", "--only", "golden"], "cannot go with --only"),
    ],
    ids=["no-trace", "no-tensorflow", "part"],
)
def test_what_is_missing_is_said_at_once(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingError, match=message):
        arm.judge(arm.parse(arguments))


def test_an_arm_needs_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    (machine,) = arm.machines(arm.parse([]))
    assert machine.python == (sys.executable,)
    with pytest.raises(MissingError, match="--cpu is for the emulator"):
        arm.machines(arm.parse(["--cpu", NEON]))


def test_the_exit_code_is_that_of_the_worst(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arm, "machines", lambda _options: [here()])
    monkeypatch.setattr(arm, "run", lambda check, machine: replace(PASSED, check=check.name))
    assert arm.judge(arm.parse(["--only", "golden"])) == 0
    monkeypatch.setattr(arm, "run", lambda check, machine: replace(PASSED, skipped=int("large" in check.name)))
    assert arm.judge(arm.parse(["--only", "golden"])) == 1
    assert "1 of 2: golden, mobile-97x131, on neoverse-n1" in capsys.readouterr().out
