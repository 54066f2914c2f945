"""`pytest parity --training` as a user starts it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.parity.test_command_line import USAGE_ERROR, start

SMALL = ("--training", "--variant=mobile", "--image-size=97", "--threads=1")
# The gradient of one branch is lost on its way.
STOPPED = """
import pnasnet_torch.cell
from pnasnet_torch.operations import SeparableConv2d

class Stopped(SeparableConv2d):
    def forward(self, x):
        return super().forward(x.detach() + 0 * x)

made = pnasnet_torch.cell._add_separable
def planted(branch, kernel, channels, filters, stride, bounded):
    made(branch, kernel, channels, filters, stride, bounded)
    if kernel == 7:
        branch.get_submodule("separable_7x7_2").__class__ = Stopped
pnasnet_torch.cell._add_separable = planted
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(start, tmp_path)


@pytest.mark.slow
def test_a_run_judges_training_alone(run: Run) -> None:
    code, said = run(*SMALL, "-q")
    assert code == 0, said
    assert re.findall(r"^mobile-97 +(\S+) +([\d,]+) +(\d+) ", said, re.MULTILINE) == [
        ("training", "735", "0"),
        ("training-float32", "735", "0"),
        ("statistics", "322", "0"),
        ("loss", "5", "0"),
        ("gradient", "1,357", "0"),
        ("gradient-float32", "1,357", "0"),
        ("step", "3,136", "0"),
        ("exact-gradient", "1,336", "0"),
    ]
    assert "parity: mobile-97: the auxiliary head has random weights: the checkpoint has none for this size" in said


@pytest.mark.slow
def test_a_gradient_that_is_lost_is_named_and_the_rest_told_as_behind_it(run: Run) -> None:
    code, said = run(*SMALL, "-q", "-k", "gradient or training", plugin=STOPPED)
    assert code == 1
    gates = dict(re.findall(r"^mobile-97 +(\S+) +[\d,]+ +(FAILED [\d,]+|0) ", said, re.MULTILINE))
    assert gates["training"] == "0"
    assert gates["gradient"].startswith("FAILED")
    assert gates["exact-gradient"].startswith("FAILED")
    # Of the cell nearest to the loss: what the convolution that lost it takes in.
    assert "cell_8.comb_iter_1.left.relu_1 fails the exact-gradient gate (mobile-97)" in said
    assert "cell_7.comb_iter_1.left.relu_1 fails" not in said
    assert "downstream" in said


def test_an_image_that_is_too_small_for_the_auxiliary_head_ends_the_run(run: Run) -> None:
    code, said = run("--training", "--variant=mobile", "--image-size=35")
    assert code == USAGE_ERROR
    assert "ERROR: --training mobile-35: images of 35x35 pixels are too small for the auxiliary head" in said
