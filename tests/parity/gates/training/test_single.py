"""Training in float32: the sound port passes, and what a moving statistic should not be is found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.core.computing import Results
from parity.core.training_names import FORWARD_FLOAT32, STATISTICS, names
from parity.faults.training.bench import NETWORK, TrainingBench
from parity.gates.training.single import OfficialFloat32, true_statistic
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import BATCH_NORM_MOMENTUM, BatchNorm

pytestmark = pytest.mark.slow
NORM = "cell_3.comb_iter_2.left.bn_sep_5x5_1"
MEAN, VARIANCE = (f"{NORM.replace('.', '/')}/{name}" for name in ("moving_mean", "moving_variance"))
Run = Callable[..., dict[str, Results]]


@pytest.fixture(scope="module")
def in_float32(bench: TrainingBench) -> OfficialFloat32:
    return OfficialFloat32(NETWORK, bench.official, bench.values)


@pytest.fixture
def run(bench: TrainingBench, in_float32: OfficialFloat32) -> Run:
    """The results of a port that `change` was done to."""

    def judge(change: Callable[[PNASNet], object] = lambda _model: None) -> dict[str, Results]:
        judged = bench.judged(change)
        judged.judge_forward_float32(in_float32, bench.values)
        return judged.results

    return judge


def failing(results: Results) -> set[str]:
    return {name for name, result in results.items() if not result}


def test_the_port_passes_in_every_name(run: Run) -> None:
    results = run()
    for gate in (FORWARD_FLOAT32, STATISTICS):
        assert {*results[gate]} == {*names(gate, NETWORK)}
        assert failing(results[gate]) == set()


@pytest.mark.parametrize("momentum", [0.1, 0.0003])
def test_another_momentum_is_found(momentum: float, run: Run) -> None:
    """0.0003, which TensorFlow does not have in float32, is 1 + 3e-5 times as large."""
    results = run(lambda model: setattr(model.get_submodule(NORM), "momentum", momentum))
    assert failing(results[STATISTICS]) == {MEAN, VARIANCE}
    assert failing(results[FORWARD_FLOAT32]) == set()


class Biased(BatchNorm):
    """Moves by the variance without Bessel's correction."""

    def forward(self, x: Tensor) -> Tensor:
        output = super().forward(x)
        count = x.numel() // x.shape[1]
        with torch.no_grad():
            variance = self.get_buffer("running_var")
            variance.sub_(x.var((0, 2, 3)), alpha=BATCH_NORM_MOMENTUM / count)
        return output


def test_a_biased_variance_is_found(run: Run) -> None:
    def change(model: PNASNet) -> None:
        model.get_submodule(NORM).__class__ = Biased

    assert failing(run(change)[STATISTICS]) == {VARIANCE}


def test_a_layer_that_passes_through_less_precision_is_found(run: Run) -> None:
    def rounded(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.bfloat16().float()

    assert NORM in failing(run(lambda model: model.get_submodule(NORM).register_forward_hook(rounded))[FORWARD_FLOAT32])


def test_the_true_statistic_is_that_of_so_many_updates() -> None:
    """From zero, moved by Bessel's variance each time."""
    values = np.random.default_rng(0).random((2, 3, 3, 4))
    moved = np.zeros(4)
    for _ in range(3):
        moved += BATCH_NORM_MOMENTUM * (values.var((0, 1, 2), ddof=1) - moved)
    np.testing.assert_allclose(true_statistic("bn/moving_variance", values, 3), moved, rtol=1e-12)
