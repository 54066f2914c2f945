"""Of which layers something is kept, and pictures of which."""

from collections.abc import Callable

import numpy as np
import pytest

from parity.core import compare
from parity.core.layers import Network
from parity.report.collect import CULPRITS, PICTURED, Collector
from tf_reference.layers import IMAGES, Layer

NETWORK = Network("mobile", 24, 32)
KEY = (str(NETWORK), "float64")
NAMES = [f"layer_{number}" for number in range(2 * PICTURED)]
Judge = Callable[..., None]


@pytest.fixture
def collector() -> Collector:
    """Of a chain of layers."""
    made = Collector()
    feeders = dict(zip(NAMES, [IMAGES, *NAMES], strict=False))
    made.layers = {NETWORK: {name: Layer(name, "Relu", name, (None, 4), "float64", (feeders[name],)) for name in NAMES}}
    return made


@pytest.fixture
def judge(collector: Collector) -> Judge:
    """Has the collector see a layer whose port is off by a share of what is allowed."""

    def see(layer: str, margin: float, gate: str = "float64") -> None:
        truth = np.random.default_rng(0).normal(size=(1, 3, 4, 2))
        actual = truth * (1 + margin * 1e-10)
        result = (compare.float64 if gate == "float64" else compare.exact)(str(NETWORK), layer, actual, truth)
        collector(result, actual, truth)

    return see


def pictured(collector: Collector) -> set[str]:
    return {name for name, seen in collector.observations[KEY].items() if seen.closeup}


@pytest.mark.parametrize("step", [1, -1])
def test_the_worst_layers_have_pictures(collector: Collector, judge: Judge, step: int) -> None:
    """In whichever order they come."""
    for number in range(len(NAMES))[::step]:
        judge(NAMES[number], (number + 1) / 100)
    assert pictured(collector) == set(NAMES[-PICTURED:])
    assert len(collector.observations[KEY]) == len(NAMES)


def test_culprits_have_pictures_however_small(collector: Collector, judge: Judge) -> None:
    """The first of the chain fails by a little, all behind it by more."""
    for number, name in enumerate(NAMES):
        judge(name, 2 + number)
    assert pictured(collector) == {NAMES[0], *NAMES[-PICTURED:]}


def test_no_more_culprits_than_that(collector: Collector, judge: Judge) -> None:
    """Layers that the official network lacks have no feeders: each looks like a culprit."""
    for number in range(2 * CULPRITS):
        judge(f"unknown_{number}", 2 + number)
    assert len(pictured(collector)) == CULPRITS + PICTURED


def test_of_several_images_the_worst_counts(collector: Collector, judge: Judge) -> None:
    for margin in (0.2, 0.7, 0.4):
        judge(NAMES[0], margin)
    assert collector.observations[KEY][NAMES[0]].margin == pytest.approx(0.7, rel=0.01)
    assert pictured(collector) == {NAMES[0]}


def test_identical_layers_leave_nothing(collector: Collector, judge: Judge) -> None:
    judge(NAMES[0], 0, gate="exact")
    assert not collector.observations[str(NETWORK), "exact-float64"]


def test_a_planted_difference_is_kept_in_the_exact_gate(collector: Collector, judge: Judge) -> None:
    judge(NAMES[0], 100, gate="exact")
    assert collector.observations[str(NETWORK), "exact-float64"][NAMES[0]].closeup


def test_other_shapes_are_left_aside(collector: Collector) -> None:
    """There is no difference of theirs."""
    for shape in ((1, 3, 4, 3), (1, 12), (1, 0, 4, 2)):
        actual, truth = np.zeros(shape), np.zeros((1, 3, 4, 2) if shape[1] else shape)
        collector(compare.float64(str(NETWORK), "layer_0", actual, truth), actual, truth)
    assert not collector.observations[KEY]
