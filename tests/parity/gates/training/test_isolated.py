"""Each layer's backward alone: the port passes, what float32 alone has is found, and so are faults behind others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from parity.core.computing import Results
from parity.core.training_names import GRADIENT, GRADIENT_FLOAT32, names
from parity.faults.training.bench import NETWORK, TrainingBench
from parity.gates.training.localize import localized
from pnasnet_torch import PNASNet
from tf_reference.isolated import IsolatedRun

pytestmark = pytest.mark.slow
BRANCH = "cell_3.comb_iter_2.left"
SEPARABLE = f"{BRANCH}.separable_5x5_1"
WEIGHTS = f"{SEPARABLE.replace('.', '/')}/pointwise_weights"
# Nearer to the loss, so that its gradients go on to the other's.
BEHIND = "cell_6.comb_iter_1.left"
Run = Callable[..., Results]


@pytest.fixture
def run(bench: TrainingBench) -> Run:
    """The results in float32 of a port that `change` was done to."""

    def judge(change: Callable[[PNASNet], object] = lambda _model: None) -> Results:
        judged = bench.judged(change)
        judged.judge_backward_float32(bench.alone())
        return judged.results[GRADIENT_FLOAT32]

    return judge


def failing(results: Results) -> set[str]:
    return {name for name, result in results.items() if not result}


def test_the_port_passes_in_every_name(run: Run) -> None:
    results = run()
    assert {*results} == {*names(GRADIENT_FLOAT32, NETWORK)}
    assert failing(results) == set()


def test_a_weight_whose_gradient_lost_precision_is_found(run: Run) -> None:
    def change(model: PNASNet) -> None:
        weight = model.get_submodule(f"{SEPARABLE}.pointwise").get_parameter("weight").requires_grad_()
        weight.register_hook(lambda gradient: gradient.bfloat16().to(gradient.dtype))  # type: ignore[no-untyped-call]

    assert failing(run(change)) == {WEIGHTS}


def test_a_gradient_is_computed_from_what_is_given_around_it(bench: TrainingBench) -> None:
    """From the network's own values and gradients comes the network's own, and from twice the gradient behind it,
    which is the only one that feeds it, twice."""
    relu, norm = f"{BRANCH}.relu_1", f"{BRANCH}.bn_sep_5x5_1"
    given = dict(bench.gradients)
    with IsolatedRun(bench.graph, 1) as alone:
        alone.assign(bench.variables)
        found = alone.gradients(given, bench.batches[0], bench.values, given)
        assert {*found} == {*given}
        for name, value in found.items():
            np.testing.assert_allclose(value, given[name], rtol=1e-9, atol=1e-12 * np.abs(given[name]).max())
        doubled = alone.gradients([norm], bench.batches[0], bench.values, given | {relu: 2 * given[relu]})
    np.testing.assert_allclose(doubled[norm], 2 * given[norm], rtol=1e-9)


def test_a_fault_is_named_though_another_lies_behind_it(bench: TrainingBench) -> None:
    """Two gradients are doubled, one on the way of the other."""

    def double(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.detach() * -1 + 2 * output

    def change(model: PNASNet) -> None:
        for branch in (BRANCH, BEHIND):
            model.get_submodule(f"{branch}.relu_1").register_forward_hook(double)

    rows = bench.judge(change)[GRADIENT]
    found = localized(GRADIENT, bench.parts.layers, {GRADIENT: rows})
    assert {*found.culprits} == {f"{BRANCH}.bn_sep_5x5_1", f"{BEHIND}.bn_sep_7x7_1"}
    assert len(found.downstream) > 100
    assert "alone, on the official network's own values, it agrees: what arrives differs" in str(rows["conv0_bn"])
