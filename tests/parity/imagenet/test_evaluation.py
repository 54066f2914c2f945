"""The evaluation as users start it: killed and continued, dealt to workers, on every layout, and what it refuses.

In this process where one command is like the next; the store's own promises are test_store.py's.
"""

import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from parity.core.alone import alone
from parity.core.command import run as run_command
from parity.core.errors import InputError
from parity.core.layers import Network
from parity.imagenet.__main__ import PROG, main, parser
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.evaluator import Evaluator
from parity.imagenet.options import parse_settings
from parity.imagenet.progress import shown
from parity.imagenet.record import Answer, Record
from parity.imagenet.sample import sample_images
from parity.imagenet.store import Store, read_records, worker_files
from parity.imagenet.workers import environment_worker
from parity.imagenet.writers import write_class_folders, write_devkit, write_flat, write_records, write_tar
from tests.waiting import ROOT, run, running
from tf_reference import checkpoint

USAGE_ERROR = 4
# Small images, at a size whose graphs other tests need, too: what is tested here is not the networks. One image a
# batch, so that its figures have the same bits however the images are dealt.
SMALL = ("--image-size=65", "--partial", "--batch-size=1", "--threads=1")
NETWORK, ALONE, IMAGES = "mobile-65", "mobile-65-port", 24
PART = IMAGES // 4
COMMAND = (sys.executable, "-m", "parity.imagenet")
# A module behind whose import there is no TensorFlow.
WITHOUT = """
import sys

class Nowhere:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("tensorflow", "tf_keras", "tf_slim"):
            raise ModuleNotFoundError(f"planted: {name} is looked for", name=name)

sys.meta_path.insert(0, Nowhere())
"""
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a set of 24 images in all four layouts."""
    folder, images = tmp_path_factory.mktemp("imagenet"), sample_images(per_class=1)
    write_class_folders(folder / "folders", images)
    write_flat(folder / "flat", images)
    write_tar(folder / "ILSVRC2012_img_val.tar", images)
    write_records(folder / "records", images, shards=3)
    write_devkit(folder / KIT_NAMES[1], images)
    return folder


@pytest.fixture(scope="module")
def arguments(data: Path, synthetic: Path) -> tuple[str, ...]:
    """Name the class folders and the weights, and ask for small images; of two equal options the later one counts."""
    return "evaluate", f"--checkpoint={synthetic}", f"--imagenet={data / 'folders'}", *SMALL


@pytest.fixture(scope="module")
def whole(arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate both models on all images, in a run that nobody disturbs."""
    output = tmp_path_factory.mktemp("whole")
    assert main([*arguments, f"--output={output}"]) == 0
    return output


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Command:
    """Call the command in this process: its exit code, and all that it says."""
    caplog.set_level(logging.INFO, "parity")

    def call(*arguments: str) -> tuple[int, str]:
        caplog.clear()
        code = run_command(main, PROG, arguments)
        return code, "".join((*capsys.readouterr(), caplog.text))

    return call


@pytest.fixture
def evaluate(arguments: tuple[str, ...], command: Command) -> Command:
    """Call the command `evaluate`; what is given goes behind the usual arguments."""
    return lambda *others: command(*arguments, *others)


@pytest.fixture
def worker(evaluate: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Evaluate the port in this process as one of two workers, with an output of its own."""

    def evaluate_part(rank: int, output: Path) -> tuple[int, str]:
        for name, value in ranks(rank).items():
            monkeypatch.setenv(name, value)
        return evaluate("--sides=torch", f"--output={output}")

    return evaluate_part


def ranks(rank: int) -> dict[str, str]:
    """Give the environment that torchrun sets for one of two workers."""
    return {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"}


def records(output: Path) -> list[Record]:
    return sorted(read_records(worker_files(output)), key=lambda record: record.index)


def answers(stored: list[Record]) -> dict[int, Answer | None]:
    """Take the port's answers by image: they are the same whether the official network answers, too, or not."""
    return {record.index: record.port for record in stored}


def count(output: Path) -> int:
    """Count the images that are stored, beside the running worker; 0 where that cannot be told."""
    try:
        return sum(map(_rows, worker_files(output)))
    except sqlite3.Error:
        return 0


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        number: int = connection.execute("SELECT count(*) FROM images").fetchone()[0]
    return number


def kill_at_first_image(
    folder: Path, *command: str, environment: Mapping[str, str] = MappingProxyType({})
) -> list[Record]:
    """Start `command`, kill it as soon as it has stored an image in `folder`, and read all that is stored."""
    before = count(folder)
    with running(*command, environment=environment) as process:
        process.wait_until(lambda: count(folder) > before)
        process.kill()
    left = records(folder)
    assert before < len(left) < IMAGES
    return left


def test_a_set_that_is_not_whole_is_refused_unless_meant(command: Command, arguments: tuple[str, ...]) -> None:
    code, said = command(*(argument for argument in arguments if argument != "--partial"))
    assert code == USAGE_ERROR
    assert f"there are {IMAGES} images, not 50,000" in said


def test_the_result_is_what_numpy_makes_of_the_stored_logits(whole: Path, evaluate: Command) -> None:
    """Both models, the real verdict; the accuracies are counted anew from the five logits of each image."""
    code, said = evaluate(f"--output={whole}")
    assert code == 0, said
    assert f"validation ({IMAGES} images) passes the imagenet gate ({NETWORK})" in said
    stored = records(whole / NETWORK)
    assert [record.index for record in stored] == list(range(IMAGES))
    (result,) = json.loads((whole / "result.json").read_text())
    for side in ("official", "port"):
        sides_answers = [getattr(record, side) for record in stored]
        assert (np.diff([answer.logits for answer in sides_answers]) <= 0).all()
        hits = np.array([answer.classes for answer in sides_answers]) == np.array([[record.label] for record in stored])
        assert result[side]["top_1"]["correct"] == int(hits[:, 0].sum())
        assert result[side]["top_5"]["correct"] == int(hits.any(axis=1).sum())
    assert result["verdict"]["passed"]


@pytest.fixture(scope="module")
def killed(arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kill one of two workers, a real process that evaluates the port, behind its first image."""
    output = tmp_path_factory.mktemp("killed")
    kill_at_first_image(
        output / ALONE, *COMMAND, *arguments, "--sides=torch", f"--output={output}", environment=ranks(1)
    )
    return output


def test_a_killed_worker_continues_and_loses_nothing(
    killed: Path, worker: Command, command: Command, whole: Path, tmp_path: Path
) -> None:
    """No image is left out or done twice by it and the other one, and all are as in an undisturbed run."""
    left, report = records(killed / ALONE), ("report", str(tmp_path), str(killed))
    assert worker(0, tmp_path)[0] == 0
    code, said = command(*report)
    assert (code, "images not evaluated" in said) == (1, True), said
    todo = IMAGES // 2 - len(left)
    code, said = worker(1, killed)
    assert (code, f"{NETWORK}: {todo} of {todo} images" in said) == (0, True), said
    assert command(*report)[0] == 0
    stored = [records(output / ALONE) for output in (tmp_path, killed)]
    assert stored[1][: len(left)] == left
    for rank in range(2):
        assert [record.index for record in stored[rank]] == list(range(rank, IMAGES, 2))
    assert answers(stored[0] + stored[1]) == answers(records(whole / NETWORK))


def test_every_layout_continues_the_same_evaluation(evaluate: Command, data: Path, whole: Path, tmp_path: Path) -> None:
    """The images and labels are the same, so records of one layout hold for another."""
    for number, layout in enumerate(("folders", "flat", "ILSVRC2012_img_val.tar", "records"), start=1):
        limit = f"--limit={PART * number}"
        code, said = evaluate(f"--imagenet={data / layout}", "--sides=torch", limit, f"--output={tmp_path}")
        assert code == 0, said
        assert f"{NETWORK}: {PART} of {PART} images" in said
        assert re.search(rf"PyTorch port.* {PART * number} ", said)
    assert answers(records(tmp_path / ALONE)) == answers(records(whole / NETWORK))


def test_broken_files_are_listed_and_fail_until_they_are_mended(evaluate: Command, data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "val"
    shutil.copytree(data / "folders", copy)
    path = sorted(copy.glob("*/*"), key=lambda path: path.name)[3]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    mended_or_not = (f"--imagenet={copy}", "--sides=torch", "--limit=8", f"--output={tmp_path / 'out'}")
    code, said = evaluate(*mended_or_not)
    assert code == 1
    assert f"{path.name} is not a sound" in said
    assert "files that could not be evaluated: measured 1, allowed 0 (too far)" in said
    path.write_bytes(content)
    code, said = evaluate(*mended_or_not)
    assert code == 0, said
    assert "1 of 1 images" in said


def test_results_of_other_weights_are_refused(evaluate: Command, synthetic: Path, whole: Path, tmp_path: Path) -> None:
    before = records(whole / NETWORK)
    variables = checkpoint.read(synthetic)
    variables["final_layer/FC/biases"][1] += 1
    checkpoint.write(tmp_path / "other.ckpt", variables)
    code, said = evaluate(f"--output={whole}", f"--checkpoint={tmp_path / 'other.ckpt'}")
    assert code == USAGE_ERROR
    assert re.search(
        r"worker-0-of-1\.sqlite holds results of something else; they are not mixed:\n  checkpoint: ", said
    )
    assert f"imagenet: {NETWORK}" not in said, "found out before anything is said to begin"
    assert records(whole / NETWORK) == before


def pytest_command(data: Path, synthetic: Path, output: Path) -> tuple[str, ...]:
    """Spell pytest's command as a user types it, with a blank before each path."""
    return (
        *(sys.executable, "-m", "pytest", "-p", "no:hypothesispytest"),
        *("--full-imagenet", "--imagenet", str(data / "folders")),
        *("--checkpoint", str(synthetic), "--output", str(output), "--image-size", "65"),
    )


def test_pytest_judges_where_the_images_and_weights_are_named(
    data: Path, synthetic: Path, whole: Path, tmp_path: Path
) -> None:
    """What is stored is not done again: this is about the command, and the evaluator does the rest below."""
    shutil.copytree(whole, tmp_path / "out")
    code, said = run(*pytest_command(data, synthetic, tmp_path / "out"), "--partial", "--limit=3")
    assert code == 0, said
    assert "1 passed" in said
    assert f"(class folders): {IMAGES} images, of which the first 3" in said


def test_pytest_evaluates_the_sizes_that_accuracies_are_of(data: Path, synthetic: Path, tmp_path: Path) -> None:
    """Without --image-size; other runs judge a small network, too."""
    command = list(pytest_command(data, synthetic, tmp_path))
    del command[command.index("--image-size") :]
    code, said = run(*command, "--collect-only", "-q")
    assert code == 0, said
    assert re.findall(r"test_imagenet\[(.+?)\]", said) == ["mobile-224-validation"]


def test_the_evaluator_of_pytest_evaluates_and_judges(arguments: tuple[str, ...], tmp_path: Path) -> None:
    options = parser().parse_args([*arguments, "--sides=torch", "--limit=3", f"--output={tmp_path}"])
    evaluator = Evaluator(parse_settings(vars(options).get), lambda meter: shown(meter, None))
    result = evaluator.result(Network("mobile", 65, 65))
    assert result, result
    assert [record.index for record in records(tmp_path / ALONE)] == [0, 1, 2]
    assert any("PyTorch port" in line for line in evaluator.report())


@pytest.mark.slow
def test_pytest_refuses_a_set_that_is_not_whole_unless_meant(data: Path, synthetic: Path, tmp_path: Path) -> None:
    command = pytest_command(data, synthetic, tmp_path)
    code, said = run(*command)
    assert code == USAGE_ERROR, said
    assert f"there are {IMAGES} images, not 50,000" in said
    code, said = run(*command, "--partial", "--limit=3")
    assert (code, "1 passed" in said) == (0, True), said


def test_a_second_process_on_the_same_share_is_told_so(evaluate: Command, whole: Path) -> None:
    with alone(whole / NETWORK / "worker-0-of-1.sqlite"):
        code, said = evaluate(f"--output={whole}")
    assert (code, "another process writes" in said) == (USAGE_ERROR, True), said
    assert not list(whole.glob("*/*.lock"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_that_it_continues_and_does(
    number: int, evaluate: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_behind_the_first(store: Store, *batch: list[Any]) -> None:
        add(store, *batch)
        os.kill(os.getpid(), number)

    add = Store.add
    arguments = ("--sides=torch", f"--limit={PART}", f"--output={tmp_path}")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", stop_behind_the_first)
        code, said = evaluate(*arguments)
    assert (code, "stopped; what is done is stored, and the same command continues" in said) == (130, True), said
    assert len(records(tmp_path / ALONE)) == 1
    code, said = evaluate(*arguments)
    assert (code, f"{NETWORK}: {PART - 1} of {PART - 1} images" in said) == (0, True), said


def test_no_space_in_the_middle_of_a_run(evaluate: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_store: Store, *_batch: list[Any]) -> None:
        raise InputError("no space is left there")

    monkeypatch.setattr(Store, "add", refuse)
    code, said = evaluate("--sides=torch", "--limit=1", f"--output={tmp_path}")
    assert (code, "no space is left there" in said) == (USAGE_ERROR, True), said


@pytest.mark.parametrize("start", ["command", "pytest"])
def test_the_port_alone_needs_no_tensorflow(start: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Neither is it imported nor looked for, and nor is the official code."""
    (tmp_path / "without_tensorflow.py").write_text(WITHOUT)
    begin = [sys.executable, "-c", "import without_tensorflow; from parity.imagenet.__main__ import main; exit(main())"]
    if start == "pytest":
        begin = [sys.executable, "-m", "pytest", "-p", "without_tensorflow", "-p", "no:cacheprovider"]
        arguments = ("--full-imagenet", *arguments[1:])
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, "PNASNET_PARITY_CACHE": str(tmp_path / "cache")}
    chosen = ("--sides=torch", "--limit=2", f"--output={tmp_path / 'out'}")
    code, said = run(*begin, *arguments, *chosen, environment=environment)
    assert code == 0, said
    assert len(records(tmp_path / "out" / ALONE)) == 2
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_result_that_cannot_be_written_leaves_the_table(command: Command, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / NETWORK, tmp_path / NETWORK)
    (tmp_path / "result.json").mkdir()
    code, said = command("report", str(tmp_path))
    assert code == USAGE_ERROR
    for part in (
        "PyTorch port",
        "passes the imagenet gate",
        "result.json cannot be written: Is a directory",
    ):
        assert part in said


@pytest.mark.parametrize("world", [IMAGES + 1, 1000])
def test_more_workers_than_images(
    world: int, evaluate: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them would be done with nothing."""
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_NTASKS", str(world))
    code, said = evaluate(f"--output={tmp_path / 'out'}")
    assert code == USAGE_ERROR
    assert f"there are {IMAGES} images for {world:,} workers, as SLURM_PROCID and SLURM_NTASKS say" in said
    assert not (tmp_path / "out").exists()


def test_a_worker_of_which_no_image_is_sound(
    evaluate: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done, and has evaluated nothing: that is no success."""
    shutil.copytree(data / "folders", tmp_path / "val")
    for path in (tmp_path / "val").glob("*/*"):
        path.write_bytes(b"no image")
    for name, value in ranks(1).items():
        monkeypatch.setenv(name, value)
    code, said = evaluate(f"--imagenet={tmp_path / 'val'}", "--sides=torch", f"--output={tmp_path / 'out'}")
    assert (code, f"worker 1 of 2 is done ({NETWORK}: 0 images)" in said) == (1, True), said


@pytest.mark.slow
def test_killed_at_its_start_and_later_the_same_command_continues(
    arguments: tuple[str, ...], whole: Path, tmp_path: Path
) -> None:
    """Both models, as real processes: before anything is stored, twice in the middle, and then to the end."""
    folder, command = tmp_path / NETWORK, (*COMMAND, *arguments, f"--output={tmp_path}")
    with running(*command) as process:
        process.wait_until(lambda: "imagenet: " in process.said)
        process.kill()
    assert not records(folder)
    once = kill_at_first_image(folder, *command)
    twice = kill_at_first_image(folder, *command)
    assert twice[: len(once)] == once
    code, said = run(*command)
    todo = IMAGES - len(twice)
    assert (code, f"{NETWORK}: {todo} of {todo} images" in said) == (0, True), said
    assert records(folder) == records(whole / NETWORK)


def test_torchrun_tells_each_worker_which_it_is(tmp_path: Path) -> None:
    """Tell it as `ranks` does."""
    script = tmp_path / "worker.py"
    script.write_text("from parity.imagenet.workers import environment_worker\nprint(environment_worker())\n")
    code, said = run(*TORCHRUN, script, environment={"PYTHONPATH": str(ROOT)})
    assert code == 0, said
    assert {str(environment_worker(ranks(rank))) for rank in range(2)} <= set(said.splitlines()), said


@pytest.mark.slow
def test_under_torchrun(arguments: tuple[str, ...], whole: Path, tmp_path: Path) -> None:
    code, said = run(*TORCHRUN, *COMMAND[1:], *arguments, "--sides=torch", f"--output={tmp_path}")
    assert code == 0, said
    assert [path.name for path in worker_files(tmp_path / ALONE)] == ["worker-0-of-2.sqlite", "worker-1-of-2.sqlite"]
    assert answers(records(tmp_path / ALONE)) == answers(records(whole / NETWORK))
