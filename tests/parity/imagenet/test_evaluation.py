"""The evaluation as users start it: one command, killed and continued, dealt to workers, on every layout."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.record import Record
from parity.imagenet.sample import sample_images
from parity.imagenet.store import read_records, worker_files
from parity.imagenet.writers import write_class_folders, write_devkit, write_flat, write_records, write_tar
from tf_reference import checkpoint

ROOT = Path(__file__).parents[3]
USAGE_ERROR = 4
# Small images: what is tested here is not the networks.
SMALL = ("--image-size=32", "--partial")
KILLS, IMAGES = 20, 192
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 192 images in all four layouts."""
    folder, images = tmp_path_factory.mktemp("imagenet"), sample_images(per_class=IMAGES // 24)
    write_class_folders(folder / "folders", images)
    write_flat(folder / "flat", images)
    write_tar(folder / "ILSVRC2012_img_val.tar", images)
    write_records(folder / "records", images, shards=3)
    write_devkit(folder / KIT_NAMES[1], images)
    return folder


@pytest.fixture
def start(data: Path, synthetic: Path) -> Start:
    """Starts `python -m parity.imagenet evaluate` on the class folders, or what the arguments say."""

    def started(
        *arguments: str, environment: dict[str, str] | None = None, launcher: tuple[str, ...] = ()
    ) -> "subprocess.Popen[str]":
        command = [
            *(*(launcher or (sys.executable,)), "-m", "parity.imagenet", "evaluate", f"--checkpoint={synthetic}"),
            *(f"--imagenet={data / 'folders'}", *SMALL, *arguments),
        ]
        settings = os.environ | {"COLUMNS": "200"} | (environment or {})
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=settings, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    return started


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=300)
    assert "Traceback" not in said, said
    return process.returncode, said


def records(output: Path) -> list[Record]:
    return sorted(read_records(worker_files(output)), key=lambda record: record.index)


def count(output: Path) -> int:
    """How many images are stored, seen from beside the running worker; 0 where that cannot be told."""
    try:
        return sum(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("SELECT count(*) FROM images").fetchone()[0]
            for path in worker_files(output)
        )
    except sqlite3.Error:
        return 0


@pytest.mark.slow
def test_the_result_is_what_numpy_makes_of_the_stored_logits(start: Start, tmp_path: Path) -> None:
    """Both models, the real verdict; the accuracies are counted anew from the five logits of each image."""
    code, said = finish(start(f"--output={tmp_path}"))
    assert code == 0, said
    assert f"validation ({IMAGES} images) passes the imagenet gate (mobile-32)" in said
    rows = records(tmp_path / "mobile-32")
    (result,) = json.loads((tmp_path / "result.json").read_text())
    for side in ("official", "port"):
        answers = [getattr(row, side) for row in rows]
        logits = np.array([answer.logits for answer in answers])
        assert (np.diff(logits) <= 0).all()
        hits = np.array([answer.classes for answer in answers]) == np.array([[row.label] for row in rows])
        assert result[side]["top_1"]["correct"] == int(hits[:, 0].sum())
        assert result[side]["top_5"]["correct"] == int(hits.any(axis=1).sum())
    assert result["verdict"]["passed"]


@pytest.mark.slow
def test_killed_at_random_moments_it_continues(start: Start, tmp_path: Path) -> None:
    """Twenty times: nothing is lost, nothing counts twice, and each figure is that of a run that nobody disturbed."""
    options = ("--sides=torch", "--batch-size=1", "--threads=1")
    assert finish(start(*options, f"--output={tmp_path / 'whole'}"))[0] == 0
    output, rng = tmp_path / "killed", random.Random(0)
    folder = output / "mobile-32-port"
    for number in range(KILLS):
        before, process = len(records(folder)), start(*options, f"--output={output}")
        # Some kills fall into its start, the others behind the first images that it stores.
        moment = time.monotonic() + (rng.uniform(0, 4) if number % 4 == 0 else 60)
        while count(folder) <= before and time.monotonic() < moment:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL  # it was still running
        assert len(records(folder)) >= before
    assert records(folder)
    code, said = finish(start(*options, f"--output={output}"))
    assert code == 0, said
    assert records(folder) == records(tmp_path / "whole/mobile-32-port")


@pytest.mark.slow
def test_three_workers_one_of_them_killed(start: Start, tmp_path: Path) -> None:
    """No image is left out or done twice; the killed one continues, and whoever is asked merges the files."""

    def worker(rank: int) -> "subprocess.Popen[str]":
        ranks = {"RANK": str(rank), "WORLD_SIZE": "3", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "3"}
        return start("--sides=torch", "--batch-size=2", f"--output={tmp_path / str(rank)}", environment=ranks)

    workers = [worker(rank) for rank in range(3)]
    while count(tmp_path / "1/mobile-32-port") == 0:
        time.sleep(0.005)
    workers[1].kill()
    workers[1].communicate()
    assert [finish(workers[rank])[0] for rank in (0, 2)] == [0, 0]
    folders = [str(tmp_path / str(rank)) for rank in range(3)]
    report = [sys.executable, "-m", "parity.imagenet", "report", *folders]
    done = subprocess.run(report, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "images not evaluated" in done.stdout
    assert finish(worker(1))[0] == 0
    done = subprocess.run(report, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    stored = [row.index for rank in range(3) for row in records(tmp_path / str(rank) / "mobile-32-port")]
    assert sorted(stored) == list(range(IMAGES))


@pytest.mark.slow
def test_under_torchrun(start: Start, tmp_path: Path) -> None:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    code, said = finish(start("--sides=torch", f"--output={tmp_path}", launcher=torchrun))
    assert code == 0, said
    assert [path.name for path in worker_files(tmp_path / "mobile-32-port")] == [
        "worker-0-of-2.sqlite",
        "worker-1-of-2.sqlite",
    ]
    assert [row.index for row in records(tmp_path / "mobile-32-port")] == list(range(IMAGES))


@pytest.mark.slow
def test_every_layout_continues_the_same_evaluation(start: Start, data: Path, tmp_path: Path) -> None:
    """The images and labels are the same, so records of one layout hold for another."""
    for number, layout in enumerate(("folders", "flat", "ILSVRC2012_img_val.tar", "records"), start=1):
        limit = f"--limit={48 * number}"
        code, said = finish(start(f"--imagenet={data / layout}", "--sides=torch", limit, f"--output={tmp_path}"))
        assert code == 0, said
        assert re.search(rf"mobile-32: 48 of 48 images.*\n(.|\n)*PyTorch port.* {48 * number} ", said)
    assert len(records(tmp_path / "mobile-32-port")) == IMAGES


@pytest.mark.slow
def test_broken_files_are_listed_and_fail_until_they_are_mended(start: Start, data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "val"
    shutil.copytree(data / "folders", copy)
    path = sorted(copy.glob("*/*"), key=lambda path: path.name)[3]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    arguments = (f"--imagenet={copy}", "--sides=torch", f"--output={tmp_path / 'out'}")
    code, said = finish(start(*arguments))
    assert code == 1
    assert f"{path.name} is not a sound" in said
    assert "files that could not be evaluated: measured 1, allowed 0 (too far)" in said
    path.write_bytes(content)
    code, said = finish(start(*arguments))
    assert code == 0, said
    assert "1 of 1 images" in said


@pytest.mark.slow
def test_results_of_other_weights_are_refused(start: Start, synthetic: Path, tmp_path: Path) -> None:
    assert finish(start("--sides=torch", "--limit=4", f"--output={tmp_path}"))[0] == 0
    variables = checkpoint.read(synthetic)
    variables["final_layer/FC/biases"][1] += 1
    checkpoint.write(tmp_path / "other.ckpt", variables)
    code, said = finish(start("--sides=torch", f"--output={tmp_path}", f"--checkpoint={tmp_path / 'other.ckpt'}"))
    assert code == USAGE_ERROR
    assert re.search(
        r"worker-0-of-1\.sqlite holds results of something else; they are not mixed:\n  checkpoint: ", said
    )


@pytest.mark.slow
def test_a_set_that_is_not_whole_is_refused_unless_meant(data: Path, synthetic: Path, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "pytest", "--full-imagenet", "--imagenet", str(data / "folders")),
        *("--checkpoint", str(synthetic), "--output", str(tmp_path), "--image-size", "32"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    assert f"there are {IMAGES} images, not 50,000" in done.stdout + done.stderr
    done = subprocess.run([*command, "--partial", "--limit=16"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"1 passed", done.stdout)
    assert f"(class folders): {IMAGES} images, of which the first 16" in done.stdout
