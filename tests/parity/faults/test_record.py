"""What was tried is kept, whatever happens to the run, and trusted only where nothing else has changed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from parity.faults.record import Outcome, Record
from tf_reference.errors import InputError

OUTCOME = Outcome("mobile-65 seed 0 chelsea", "a fault", "conv0", ("float64",), {"conv0": "operation"}, {}, {}, 1.5)
RIGHT = replace(OUTCOME, expected={"conv0": "operation"})
ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results/trials.jsonl"


def test_outcomes_are_read_back(path: Path) -> None:
    Record(path).add(OUTCOME)
    Record(path).add(replace(OUTCOME, site="conv1"))
    assert list(Record(path).outcomes.values()) == [OUTCOME, replace(OUTCOME, site="conv1")]


def test_a_line_that_was_cut_off_is_done_again(path: Path) -> None:
    """The next one is written in its place."""
    record = Record(path)
    record.add(OUTCOME)
    path.write_text(path.read_text() + '{"setting": "mobile-65 se')
    Record(path).add(replace(OUTCOME, site="conv1"))
    assert len(Record(path).outcomes) == 2


@pytest.mark.parametrize("content", ["no record\n", '{"fingerprint": "of other code"}\n'])
def test_results_of_other_code_are_refused(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InputError, match=r"trials\.jsonl has outcomes of other code.*move or remove it"):
        Record(path)
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("outcome", "right"),
    [
        (RIGHT, True),
        (OUTCOME, False),
        (replace(RIGHT, sources={}), False),
        (replace(RIGHT, sources={"conv0": "wiring"}), False),
        (replace(RIGHT, sources={"conv0": "operation", "conv0_bn": "operation"}), False),
        (replace(OUTCOME, gates=(), sources={}), True),
        (replace(OUTCOME, sources={}), False),
    ],
)
def test_an_outcome_is_right_only_as_a_whole(outcome: Outcome, right: bool) -> None:
    """The same layers and kinds where there is a fault, no alarm where there is none."""
    assert outcome.right == right


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """What it had done is not done again."""
    trials = "mobile-65 seed 0 chelsea: the least for max"
    command = [sys.executable, "-m", "parity.faults", "--only", trials, "--output", "out", "--docs", "docs"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    lines = tmp_path / "out/trials.jsonl"
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    while not lines.exists() or lines.read_text().count("\n") < 1:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = lines.read_text()
    assert not (tmp_path / "docs").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines.read_text().startswith(before[: before.rfind("\n") + 1])
    assert "2 trials: 2 caught, 2 localised" in done.stdout
    assert "| pools: the least for max | 2 | 2 | 2 | 0 | 2 | 2 | 2 | 2 |" in (tmp_path / "docs/faults.md").read_text()
