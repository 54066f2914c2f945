"""The training gates pass the port as it is, and name a fault's place."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parity.layers import WHOLE, Network
from parity.localize import localize
from parity.training import feeders
from parity.training.judge import Judged
from parity.training.names import FORWARD, GRADIENT, LOSS, STEP, names
from parity.training.port import make_model
from parity.values import Results
from pnasnet_torch import PNASNet, training
from pnasnet_torch.operations import BatchNorm, Dropout
from pnasnet_torch.optimizer import Averages, RMSProp

Train = Callable[..., dict[str, Results]]
BRANCH = "cell_3.comb_iter_2.left"


def failing(results: Results) -> list[str]:
    return [name for name, result in results.items() if not result]


def sources(gate: str, results: Results, trained: Any) -> tuple[str, ...]:
    """The names at fault, as a run tells them."""
    failed = failing(results)
    fed = feeders(gate, trained.graph.network.layers, results)
    return localize(fed, failed, results.keys() - set(failed)).sources


def test_the_port_passes_in_every_name(train: Train, trained: Any) -> None:
    results = train()
    for gate in (FORWARD, LOSS, GRADIENT):
        assert {*results[gate]} == {*names(gate, trained.network)}
        assert failing(results[gate]) == []


def test_a_gradient_that_is_stopped_is_found_where_it_is_lost(train: Train, trained: Any) -> None:
    """The forward is the same. Behind the ReLU nothing arrives."""

    def stop(model: PNASNet) -> None:
        branch = model.get_submodule(BRANCH)
        relu = branch.get_submodule("relu_1")
        relu.register_forward_hook(lambda _module, _inputs, output: output.detach() + 0 * output)

    results = train(stop)
    assert failing(results[FORWARD]) == failing(results[LOSS]) == []
    assert sources(GRADIENT, results[GRADIENT], trained)[0].startswith(BRANCH)


@pytest.mark.parametrize("layer", [f"{BRANCH}.bn_sep_5x5_1"])
def test_statistics_of_evaluation_are_found(layer: str, train: Train, trained: Any) -> None:
    """One batch norm stays as it is in evaluation."""
    results = train(lambda model: freeze(model.get_submodule(layer)))
    assert sources(FORWARD, results[FORWARD], trained) == (layer,)


def freeze(module: nn.Module) -> None:
    assert isinstance(module, BatchNorm)
    module.eval()


def test_dropout_that_keeps_what_it_should_drop_is_found(train: Train, trained: Any) -> None:
    def confuse(model: PNASNet) -> None:
        class Confused(Dropout):
            def forward(self, x: Tensor) -> Tensor:
                assert self.draws is not None
                return torch.where(self.draws < 1 - self.keep_prob, x / self.keep_prob, 0.0)

        model.final_layer.dropout = Confused(0.5)

    results = train(confuse)
    assert sources(FORWARD, results[FORWARD], trained) == ("final_layer.FC",)


@pytest.mark.parametrize(
    ("constant", "value", "parts"),
    [
        ("LABEL_SMOOTHING", 0.0, {"cross_entropy", "auxiliary", "total"}),
        ("AUX_WEIGHT", 0.3, {"auxiliary", "total"}),
        ("WEIGHT_DECAY", 8e-5, {"regularization", "total"}),
    ],
)
def test_a_loss_of_other_parts_is_found(
    constant: str, value: float, parts: set[str], train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, constant, value)
    assert {*failing(train()[LOSS])} == parts


def test_a_norm_of_other_variables_is_found(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch norms' weights too."""
    everything = lambda model: ((name, p) for name, p in model.named_parameters() if name.endswith("weight"))  # noqa: E731
    monkeypatch.setattr(training, "regularized", everything)
    monkeypatch.setattr("parity.training.port.regularized", everything)
    results = train()
    assert {*failing(results[LOSS])} == {"regularization", "total", WHOLE}
    assert "regularised variable conv0_bn/gamma: the port alone has it" in str(results[LOSS][WHOLE])


def test_what_the_port_raises_is_the_result_of_what_was_not_reached(train: Train) -> None:
    def fail(_module: nn.Module, _inputs: Any) -> None:
        raise RuntimeError("planted")

    results = train(lambda model: model.get_submodule("cell_8").register_forward_pre_hook(fail))
    assert "cell_7.1x1" in results[FORWARD]
    assert "cell_8.1x1" not in results[FORWARD]
    assert results[GRADIENT] == {}


def test_an_error_of_its_own_is_no_result(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.compare.float64", lambda *_arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train()


@pytest.fixture
def take_steps(trained: Any) -> Callable[..., Results]:
    """The results on whole steps of a port that `change` was done to."""

    def run(change: Callable[[PNASNet], object] = lambda _model: None) -> Results:
        def make(network: Network, training: bool = True) -> PNASNet:
            model = make_model(network, training)
            change(model)
            return model

        judged = Judged(trained.network, trained.graph, trained.variables, make)
        judged.update(trained.batches, trained.updated)
        return judged.results[STEP]

    return run


def test_three_steps_pass_in_every_name(take_steps: Callable[..., Results], trained: Any) -> None:
    results = take_steps()
    assert {*results} == {*names(STEP, trained.network)}
    assert failing(results) == []


def kinds(results: Results) -> set[str]:
    """What fails: the last part of each name."""
    return {name.rpartition("/")[2] for name in failing(results)}


def test_a_momentum_that_is_pytorchs_is_found(take_steps: Callable[..., Results]) -> None:
    """0.1, of one batch norm."""
    scope = "cell_3/comb_iter_2/left/bn_sep_5x5_1"

    def change(model: PNASNet) -> None:
        norm = model.get_submodule(scope.replace("/", "."))
        assert isinstance(norm, BatchNorm)
        norm.momentum = 0.1

    statistics = [f"{scope}/moving_mean", f"{scope}/moving_variance"]
    assert sorted(failing(take_steps(change))) == sorted([*statistics, *(f"{name}/average" for name in statistics)])


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("parity.training.port.RMSProp", partial(RMSProp, epsilon=1e-10), {"weights", "momentum", "average"}),
        ("parity.training.port.RMSProp", partial(RMSProp, decay=0.99), {"weights", "momentum", "rms", "average"}),
        ("parity.training.port.RMSProp", partial(RMSProp, momentum=0.0), {"weights", "momentum", "average"}),
        ("parity.training.port.Averages", partial(Averages, decay=0.999), {"average"}),
        ("parity.training.port.clip_by_global_norm", lambda _parameters: None, {"weights", "momentum", "rms"}),
    ],
    ids=["epsilon", "decay", "momentum", "averages", "clipping"],
)
def test_another_optimiser_is_found(
    place: str, value: object, expected: set[str], take_steps: Callable[..., Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, value)
    found = kinds(take_steps())
    assert expected <= found
    assert place.endswith("Averages") == (found == {"average"})
