"""The exact gradients: sound bit by bit; a fault that rounding would hide is found."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.candidate.training.port import make_model
from parity.core.computing import Results
from parity.core.integers import ExactVariables, map_area
from parity.core.layers import Network
from parity.core.training_names import EXACT, names
from parity.gates.training.exact import exact_gradients
from parity.gates.training.localize import localized
from parity.reference.live_training import DENSITY, given_gradient, integer_gradients
from pnasnet_torch import PNASNet
from tf_reference import official
from tf_reference.backward import ROOT, BackwardGraph, backward_graph
from tf_reference.graph import GraphSpec

pytestmark = pytest.mark.slow
NETWORK = Network("mobile", 97, 97)
LAYER = "cell_3.comb_iter_2.left.bn_sep_5x5_1"
Judge = Callable[..., Results]


@pytest.fixture(scope="module")
def graph() -> BackwardGraph:
    return backward_graph(official.find(), GraphSpec("mobile", 97, 97, "float64"))


@pytest.fixture(scope="module")
def judge(graph: BackwardGraph) -> Judge:
    """The results on a port that `change` was done to."""

    shapes = {name: variable.shape for name, variable in graph.network.variables.items()}
    area = map_area(graph.network.layers[ROOT].shape)
    official = integer_gradients(graph, ExactVariables(shapes, "float64", area, 0, DENSITY), 0)

    def run(change: Callable[[PNASNet], object] = lambda _model: None) -> Results:
        def make(network: Network, training: bool) -> PNASNet:
            model = make_model(network, training)
            change(model)
            return model

        left = replace(official, values=dict(official.values), gradients=dict(official.gradients))
        return exact_gradients(NETWORK, left, names(EXACT, NETWORK), make)

    return run


def scaled(factor: float) -> Callable[[PNASNet], object]:
    """Leaves a layer's values as they are, and multiplies its gradient."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(_context: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(_context: object, gradient: Tensor) -> Tensor:
            return gradient * factor

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        (x,) = inputs
        made: Tensor = Scaled.apply(x)  # type: ignore[no-untyped-call]
        return (made,)

    return lambda model: model.get_submodule(LAYER).register_forward_pre_hook(hook)


def test_every_gradient_is_bit_identical(judge: Judge, graph: BackwardGraph) -> None:
    results = judge()
    assert {*results} == {*names(EXACT, NETWORK)} == {*graph.gradients}
    assert [name for name, result in results.items() if not result] == []
    assert any("ties" in note for result in results.values() for note in result.notes)


def test_a_gradient_that_is_off_by_one_unit_is_found_where_it_is(judge: Judge, graph: BackwardGraph) -> None:
    """The float64 gate would let it pass."""
    results = judge(scaled(1 + 2**-52))
    found = localized(EXACT, graph.network.layers, {EXACT: results})
    assert found.culprits == ("cell_3.comb_iter_2.left.separable_5x5_1.pointwise",)


def test_a_relu_that_lets_the_gradient_pass_at_zero_is_found(judge: Judge) -> None:
    """Of integers many are zero."""

    class Leaky(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x >= 0, x, torch.zeros_like(x))

    def change(model: PNASNet) -> None:
        model.get_submodule("cell_3.comb_iter_2.left.relu_1").__class__ = Leaky

    assert not judge(change)[LAYER]


def test_what_the_port_raises_is_the_result(judge: Judge) -> None:
    def fail(_module: nn.Module, _inputs: object) -> None:
        raise RuntimeError("planted")

    results = judge(lambda model: model.get_submodule("cell_8").register_forward_pre_hook(fail))
    assert {result.problem for result in results.values()} == {"the candidate fails with RuntimeError: planted"}


def test_what_is_given_is_integers_for_every_element(graph: BackwardGraph) -> None:
    given = given_gradient(graph.network.layers, 0)
    assert given.shape == (1, *graph.network.layers[ROOT].shape[1:])
    assert {*np.unique(given)} == {-1.0, 0.0, 1.0}
