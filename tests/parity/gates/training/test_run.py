"""`pytest parity --training` as a user starts it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.parity.conftest import TrainingTrace
from tests.parity.gates.training.conftest import STOPPED
from tests.parity.starting import USAGE_ERROR, start

NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None\n"
TABLE = r"^mobile-97 +(\S+) +([\d,]+) +(FAILED [\d,]+|0) "
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(start, tmp_path)


@pytest.mark.slow
def test_a_run_judges_training_alone(training_trace: TrainingTrace) -> None:
    code, said, _ = training_trace
    assert code == 0, said
    assert re.findall(TABLE, said, re.MULTILINE) == [
        ("training", "735", "0"),
        ("training-float32", "735", "0"),
        ("statistics", "322", "0"),
        ("loss", "5", "0"),
        ("exact-gradient", "1,336", "0"),
        ("gradient", "1,357", "0"),
        ("gradient-float32", "1,357", "0"),
        ("step", "3,136", "0"),
    ]
    assert "parity: mobile-97: the auxiliary head has random weights: the checkpoint has none for this size" in said


@pytest.mark.slow
def test_a_trace_gives_the_same_without_tensorflow(training_trace: TrainingTrace, run: Run) -> None:
    """Every figure in the table but the times."""
    table = r"^(mobile-97 +\S+ +[\d,]+ +0) +[\d.]* s* +(.*)$"
    code, said = run("--training", f"--reference={training_trace.path}", "--threads=1", "-q", plugin=NO_TENSORFLOW)
    assert code == 0, said
    assert re.findall(table, said, re.MULTILINE) == re.findall(table, training_trace.said, re.MULTILINE) != []


@pytest.mark.slow
def test_a_gradient_that_is_lost_is_named_and_the_rest_told_as_behind_it(
    training_trace: TrainingTrace, run: Run
) -> None:
    """Wherever it is lost, and though it is lost in front of another such place, too."""
    plugin = NO_TENSORFLOW + STOPPED
    chosen = ["-k", "gradient or training", f"--reference={training_trace.path}", "--threads=1", "-q"]
    code, said = run("--training", *chosen, plugin=plugin)
    assert code == 1
    gates = {gate: failed for gate, _, failed in re.findall(TABLE, said, re.MULTILINE)}
    assert gates["training"] == "0"
    assert gates["gradient"].startswith("FAILED")
    assert gates["exact-gradient"].startswith("FAILED")
    # Of the cell nearest to the loss: what the convolution that lost it takes in.
    assert "cell_8.comb_iter_1.left.relu_1 fails the exact-gradient gate (mobile-97)" in said
    assert "cell_8.comb_iter_1.left.relu_1: backward (fails exact-gradient, gradient, gradient-float32)" in said
    assert "cell_7.comb_iter_1.left.relu_1: backward (fails exact-gradient, gradient, gradient-float32)" in said
    assert "alone, on the official network's own values, it fails: relative L2" in said
    assert "cell_7.comb_iter_1.left.bn_sep_7x7_1 fails" not in said
    assert "downstream" in said


@pytest.mark.slow
def test_a_trace_is_used_for_what_it_holds(training_trace: TrainingTrace, run: Run) -> None:
    code, said = run(f"--reference={training_trace.path}", "--threads=1")
    assert code == USAGE_ERROR
    assert (
        "holds training, training-float32, statistics, loss, exact-gradient, gradient, gradient-float32, step" in said
    )


def test_an_image_that_is_too_small_for_the_auxiliary_head_ends_the_run(run: Run) -> None:
    code, said = run("--training", "--variant=mobile", "--image-size=35")
    assert code == USAGE_ERROR
    assert "ERROR: --training mobile-35: images of 35x35 pixels are too small for the auxiliary head" in said
