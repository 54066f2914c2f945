"""`pytest parity --report DIR` as a user starts it: every run leaves a report, which says how far it came."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parity.core.layers import port_layers
from parity.core.policy import TRAINING_GATES

from .conftest import CRASH, HOSTILE, INTERRUPT, ROOT, MakeReport

pytestmark = pytest.mark.slow
# As a plugin, it lets no file grow over a size that a report has, once the tests run: before, room is looked for.
FULL = """
import resource
def pytest_runtest_setup():
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
"""
# Where the planted loss of gradients is nearest to the network's output.
LOST = "cell_8.comb_iter_1.left.relu_1"
# As a plugin, it tells at the end whether anything of the report was imported.
SPY = """
import sys
def pytest_unconfigure():
    print("imported:", [name for name in sys.modules if name.startswith(("parity.report", "vl_convert"))])
"""


def read(folder: Path) -> dict[str, Any]:
    assert (folder / "report.html").stat().st_size > 400_000
    data: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return data


def gates(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {gate["gate"]: gate for gate in data["networks"][0]["gates"]}


def test_a_passing_run(passing: Path) -> None:
    """All of it, and nothing that failed; versions, hashes and the command are there."""
    data = read(passing)
    assert data["judgement"]["kind"] == "parity"
    assert len(gates(data)["float32"]["name"]) == len(port_layers("mobile"))
    assert data["networks"][0]["verdict"] is None
    assert re.fullmatch("[0-9a-f]{64}", data["provenance"]["references"][0]["sha256"])
    assert re.fullmatch("[0-9a-f]{64}", data["provenance"]["checkpoints"][0]["sha256"])
    assert data["provenance"]["images"][0]["name"] == "chelsea.jpg"
    assert data["provenance"]["origin"]["path"].endswith("pnasnet_torch")
    assert data["provenance"]["references"][0]["origin"]["version"].startswith("tf-object-detection ")
    assert f"--report={passing}" in data["run"]["command"]
    assert len(gates(data)["float32"]["observed"]["closeups"]) == 20
    assert not gates(data)["exact-float32"]["observed"]["row"]


@pytest.mark.parametrize(
    "chosen", [("--image-size=65",), ("--image-size=97", "--training")], ids=["layers", "training"]
)
def test_any_number_of_threads_gives_the_same_report(chosen: tuple[str, ...], make_report: MakeReport) -> None:
    """To the last digit of every measure, but for the seconds that it took."""
    reports = []
    for threads in (1, 2, 4):
        code, _said, folder = make_report(f"--threads={threads}", network=("--variant=mobile", *chosen))
        assert code == 0
        networks = read(folder)["networks"]
        for gate in networks[0]["gates"]:
            gate.pop("seconds")
        reports.append(networks)
    assert reports[0] == reports[1] == reports[2]


def test_a_failing_run(failing: Path) -> None:
    """The planted culprits are there with pictures by every gate that they fail, and what is behind them."""
    data = read(failing)
    assert data["judgement"]["kind"] == "no parity"
    network = data["networks"][0]
    culprits = {network["names"][culprit["name"]]: culprit for culprit in network["verdict"]["culprits"]}
    planted = "cell_3.comb_iter_0.left.separable_5x5_1.depthwise"
    assert set(culprits) == {planted, "cell_3.comb_iter_0.right.max_pool"}
    assert culprits[planted]["hints"] == ["it gives: padding of 2 before instead of 1"]
    for gate in ("exact-float32", "float64", "float32"):
        row = str(gates(data)[gate]["name"].index(culprits[planted]["name"]))
        assert set(gates(data)[gate]["observed"]["closeups"][row]["maps"]) == {"port", "expected", "difference"}
    assert reasons(gates(data)["float64"]) == {"downstream", "repeated"}


def reasons(gate: dict[str, Any]) -> set[str]:
    return {reason for reason, _ in gate["explained"].values()}


@pytest.mark.slow
def test_a_run_of_training(training: Path) -> None:
    """Its gates, none left out, and of the lost gradients, each where it is lost."""
    data = read(training)
    assert data["judgement"]["kind"] == "no parity"
    assert data["judgement"]["limits"] == []
    assert [*gates(data)] == [*TRAINING_GATES]
    assert {name for name, gate in gates(data).items() if "0" in gate["passed"]} >= {"exact-gradient", "gradient"}
    assert "0" not in gates(data)["training"]["passed"]
    network = data["networks"][0]
    culprits = {network["names"][culprit["name"]]: culprit["kind"] for culprit in network["verdict"]["culprits"]}
    assert culprits[LOST] == "backward"
    assert len(culprits) == 11
    assert len(network["verdict"]["downstream"]) > 100
    row = str(gates(data)["gradient"]["name"].index(network["names"].index(LOST)))
    assert gates(data)["gradient"]["explained"][row] == ["repeated", "as it failed exact-gradient"]
    assert set(gates(data)["gradient"]["observed"]["closeups"][row]["maps"]) == {"port", "expected", "difference"}
    assert reasons(gates(data)["gradient"]) == {"downstream", "repeated"}


def test_a_part(partial: Path) -> None:
    data = read(partial)
    assert data["judgement"]["kind"] == "partial"
    assert data["judgement"]["limits"][0].startswith("Only a part was selected (-k 'cell_3 or preprocess'): ")
    assert data["provenance"]["images"][0]["name"] == HOSTILE
    assert 0 < gates(data)["float64"]["selected"] < gates(data)["float64"]["whole"] == len(port_layers("mobile"))


@pytest.mark.parametrize(
    ("plugin", "code", "why"),
    [
        pytest.param(INTERRUPT, 2, "it was interrupted", id="interrupted"),
        pytest.param(CRASH, 3, "mobile-65 float64 could not be computed; nothing behind it was compared", id="crashed"),
    ],
)
def test_a_run_that_is_stopped(make_report: MakeReport, plugin: str, code: int, why: str) -> None:
    """It leaves what it had until then, and no verdict of parity."""
    found, output, folder = make_report(plugin=plugin)
    data = read(folder)
    assert found == code
    assert f"parity: report: {folder / 'report.html'}" in output
    assert data["judgement"]["kind"] == "unfinished"
    assert data["judgement"]["limits"][0] == f"The run was stopped: {why}"
    assert len(gates(data)["exact-float64"]["name"]) == len(port_layers("mobile"))
    assert (gates(data)["float64"]["name"], gates(data)["float64"]["selected"]) == ([], len(port_layers("mobile")))


def test_a_report_that_cannot_be_written_is_said(make_report: MakeReport) -> None:
    """And the run does not end well, though nothing failed."""
    code, output, folder = make_report("-k", "test_structure and conv0", "-pno:cacheprovider", plugin=FULL)
    assert code == int(pytest.ExitCode.USAGE_ERROR)
    assert f"parity: the report could not be written: {folder / 'report.json'} cannot be written: File too" in output
    assert "INTERNALERROR" not in output
    assert not list(folder.glob(".*.partial"))


def test_without_the_option_nothing_of_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "spy.py").write_text(SPY)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import pytest; pytest.main()"]
    options = ["-p", "spy", "parity", "--variant=mobile", "--image-size=65", "-q", "-k", "test_float64 and conv0_bn"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert "1 passed" in done.stdout
    assert "imported: []" in done.stdout
