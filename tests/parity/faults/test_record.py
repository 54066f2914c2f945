"""What was tried is kept, whatever happens to the run, and trusted only where nothing else has changed."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parity.core.alone import alone
from parity.faults.__main__ import main
from parity.faults.campaign import EVEN, Job, jobs_at
from parity.faults.record import Outcome, Record
from tests.limits import file_size_limit
from tests.waiting import run, running
from tf_reference.errors import InputError

OUTCOME = Outcome("mobile-65 seed 0 chelsea", "a fault", "conv0", ("float64",), {"conv0": "operation"}, {}, {}, 1.5)
RIGHT = replace(OUTCOME, expected={"conv0": "operation"})
TRIALS = "mobile-65 seed 0 chelsea: the least for max"
ADD_FOR_EVER = """
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from parity.faults.record import Outcome, Record
record = Record(Path(sys.argv[1]))
outcome = Outcome("mobile-65 seed 0 chelsea", "", "conv0", (), {}, {}, {}, 1.5)
for number in count():
    record.add(replace(outcome, name=f"fault {number}"))
    print(f"fault {number}", flush=True)
"""


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
    with pytest.raises(InputError, match=r"trials\.jsonl has outcomes of other code.*move it away"):
        Record(path)
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("outcome", "right"),
    [
        (RIGHT, True),
        (OUTCOME, False),
        (replace(RIGHT, culprits={}), False),
        (replace(RIGHT, culprits={"conv0": "wiring"}), False),
        (replace(RIGHT, culprits={"conv0": "operation", "conv0_bn": "operation"}), False),
        (replace(OUTCOME, gates=(), culprits={}), True),
        (replace(OUTCOME, culprits={}), False),
    ],
)
def test_an_outcome_is_right_only_as_a_whole(outcome: Outcome, right: bool) -> None:
    """The same layers and kinds where there is a fault, no alarm where there is none."""
    assert outcome.right == right


def test_what_was_added_outlasts_a_kill(path: Path) -> None:
    """A real process: each outcome that it said to have added is there, and the next run goes on behind them."""
    with running(sys.executable, "-c", ADD_FOR_EVER, path) as process:
        process.wait_until(lambda: process.said.count("\n") >= 3)
        process.kill()
        said = process.said.splitlines()
    record = Record(path)
    assert [name for _, name, _ in record.outcomes][: len(said)] == said
    record.add(OUTCOME)
    assert Record(path).outcomes.keys() == record.outcomes.keys()


@pytest.fixture
def todo(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The trials of one fault in one setting, and so with one graph; the outcome of the first is kept, and right."""
    every_job = tuple(jobs_at(EVEN))
    monkeypatch.setattr("parity.faults.__main__.jobs", lambda: every_job)
    found = [job for job in every_job if TRIALS in f"{job.setting}: {job.name}"]
    Record(path).add(caught(found[0]))
    return found


def caught(job: Job) -> Outcome:
    return replace(RIGHT, setting=str(job.setting), name=job.name, site=job.site)


def test_what_was_done_is_not_done_again(
    todo: list[Job], path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trials that are left are run, here by nobody, and kept; the table is of all."""
    given: list[Job] = []

    def run_at_once(left: Sequence[Job], workers: int) -> Iterator[Outcome]:
        given.extend(left)
        return map(caught, left)

    monkeypatch.setattr("parity.faults.__main__.in_processes", run_at_once)
    docs = path.parent / "docs"
    arguments = [f"--only={TRIALS}", f"--output={path.parent}", f"--docs={docs}"]
    assert main(arguments) == 0
    assert "2 trials: 2 caught, 2 localised" in capsys.readouterr().out
    assert given == todo[1:]
    assert [outcome.site for outcome in Record(path).outcomes.values()] == [job.site for job in todo]
    table = (docs / "faults.md").read_text()
    assert re.findall(r"^\| (\w.*: .*?) \|", table, re.MULTILINE) == ["pools: the least for max"]
    assert "| pools: the least for max | 2 | 2 | 2 | 0 |" in table


def test_a_part_leaves_the_published_table_alone(
    todo: list[Job], path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its own lies beside its trials; that of all trials is the published one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.faults.__main__.in_processes", lambda left, _workers: map(caught, left))
    assert main([f"--only={TRIALS}", f"--output={path.parent}"]) == 0
    assert not (tmp_path / "docs").exists()
    assert (path.parent / "faults.md").exists()
    monkeypatch.setattr("parity.faults.__main__.jobs", lambda: todo)
    assert main([f"--output={path.parent}"]) == 0
    assert (tmp_path / "docs/faults.md").exists()


def test_a_second_campaign_in_one_folder_is_told_so(todo: list[Job], path: Path) -> None:
    before = path.read_text()
    with (
        alone(path),
        pytest.raises(InputError, match=r"another process writes .*trials\.jsonl: wait for it or stop it"),
    ):
        main([f"--only={TRIALS}", f"--output={path.parent}"])
    assert path.read_text() == before


def test_a_disk_that_fills_up_loses_no_trial(path: Path) -> None:
    Record(path).add(OUTCOME)
    with (
        file_size_limit(path.stat().st_size + 10),
        pytest.raises(InputError, match="jsonl cannot be written: File"),
    ):
        Record(path).add(replace(OUTCOME, site="conv1"))
    assert list(Record(path).outcomes.values()) == [OUTCOME]
    assert [file.name for file in path.parent.iterdir()] == ["trials.jsonl"]


def test_a_line_that_is_no_outcome_is_shown(path: Path) -> None:
    Record(path).add(OUTCOME)
    path.write_text(path.read_text() + "[1, 2]\n")
    with pytest.raises(InputError, match=r"this line is no outcome, take it out \(.*\): \[1, 2\]$"):
        Record(path)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """What it had done is not done again: of two trials, the first."""
    command = (sys.executable, "-m", "parity.faults", "--only", TRIALS)
    outputs = ("--output", tmp_path / "out", "--docs", tmp_path / "docs")
    lines = tmp_path / "out/trials.jsonl"
    with running(*command, *outputs) as process:
        # The first line says of which code the outcomes are.
        process.wait_until(lambda: lines.exists() and lines.read_text().count("\n") == 2)
        process.kill()
    before = lines.read_text()
    assert not (tmp_path / "docs").exists()
    code, said = run(*command, *outputs)
    assert code == 0, said
    assert lines.read_text().startswith(before)
    assert lines.read_text().count("\n") == 3
    assert "2 trials: 2 caught, 2 localised" in said
    assert "| pools: the least for max | 2 | 2 | 2 | 0 | 2 | 2 | 2 | 2 |" in (tmp_path / "docs/faults.md").read_text()
