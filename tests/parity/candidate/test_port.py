"""Whatever goes wrong in the port is its result; whatever goes wrong in the judgement is an error."""

import sys
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError
from parity.candidate.parts import candidate_parts
from parity.candidate.port import Port
from parity.core.errors import InputError
from parity.core.layers import Network, layer_modules
from parity.core.result import Check, LayerResult
from parity.faults.plant import repeat
from pnasnet_torch import PNASNet
from tf_reference.graph import ReferenceGraph

GraphOf = Callable[[Iterable[str]], ReferenceGraph]
LAYERS = frozenset({"conv0", "cell_1.1x1", "cell_2.1x1", "final_layer.FC"})


def port_of(model: PNASNet) -> Port:
    """A port whose model is there already."""
    port = Port(Network("mobile", 24, 32), "float32")
    vars(port)["_model"] = model
    return port


def passing(layer: str, _actual: np.ndarray) -> LayerResult:
    return LayerResult("float64", "mobile-24x32", layer, (Check("relative L2", 0, 1),))


def failing(results: Mapping[str, LayerResult]) -> set[str]:
    """Return the names of the layers that fail."""
    return {name for name, result in results.items() if not result}


def test_each_layer_is_judged(tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """Each gets the judgement of its own values, and none but the chosen ones is judged."""
    values: dict[str, np.ndarray] = {}

    def judge(layer: str, actual: np.ndarray) -> LayerResult:
        values[layer] = actual
        return passing(layer, actual)

    graph = official_graph(layer_modules(tiny))
    results = port_of(tiny).results("float64", LAYERS, graph, images_nhwc, judge)
    assert results.keys() == values.keys() == LAYERS
    assert all(results.values())
    assert values["final_layer.FC"].shape == (2, 7)
    for name, result in results.items():
        assert result.layer == name


def test_a_layer_that_is_never_reported_fails(tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """One that the port lacks, and one that it has and does not run."""
    tiny.add_module("idle", nn.ReLU())
    layers = frozenset({"conv0", "idle", "cell_99.1x1"})
    results = port_of(tiny).results("float64", layers, official_graph(layers), images_nhwc, passing)
    assert results.keys() == layers
    assert results["conv0"]
    for name in ("idle", "cell_99.1x1"):
        assert not results[name]
        assert "does not report" in str(results[name])


def test_a_layer_that_the_official_network_lacks_fails(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf
) -> None:
    """It is not even judged, as there is nothing to judge it by."""
    graph = official_graph(LAYERS - {"cell_1.1x1"})
    results = port_of(tiny).results("float64", LAYERS, graph, images_nhwc, passing)
    assert failing(results) == {"cell_1.1x1"}
    assert "official network has no such layer" in results["cell_1.1x1"].problem


def test_nothing_passes_by_an_empty_official_graph(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf
) -> None:
    results = port_of(tiny).results("float64", LAYERS, official_graph([]), images_nhwc, passing)
    assert results.keys() == LAYERS
    assert not any(results.values())


def test_an_error_in_the_port_is_its_result(tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """The layers that are not reached fail with the error; those before it keep their judgement."""

    def broken(_module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        raise ValueError("planted in cell_2")

    tiny.get_submodule("cell_2.1x1").register_forward_pre_hook(broken)
    results = port_of(tiny).results("float64", LAYERS, official_graph(LAYERS), images_nhwc, passing)
    assert failing(results) == {"cell_2.1x1", "final_layer.FC"}
    for name in ("cell_2.1x1", "final_layer.FC"):
        assert "the candidate fails with ValueError: planted in cell_2" in str(results[name])
        assert (results[name].gate, results[name].network) == ("float64", "mobile-24x32")
        assert not results[name].reached


def raising(*_: Tensor) -> Tensor:
    raise ValueError("planted")


def test_of_an_error_in_a_layer_that_layer_alone_was_reached(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf
) -> None:
    """Those behind it fail because of it; one that the port never runs is not excused."""
    tiny.get_submodule("cell_2.1x1").forward = raising
    layers = LAYERS | {"cell_99.1x1"}
    results = port_of(tiny).results("float64", layers, official_graph(LAYERS), images_nhwc, passing)
    assert failing(results) == {"cell_2.1x1", "final_layer.FC", "cell_99.1x1"}
    not_reached = {name for name, result in results.items() if not result.reached}
    assert not_reached == {"final_layer.FC"}


def test_a_layer_that_runs_twice_fails(tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """Although its first output passed, as which of them is compared would be a matter of chance."""
    twice = "cell_1.beginning_bn"
    repeat(tiny, twice)
    layers = LAYERS | {twice}
    results = port_of(tiny).results("float64", layers, official_graph(layers), images_nhwc, passing)
    assert f"{twice} ran twice in one forward" in results[twice].problem
    assert results[twice].reached
    assert failing(results) == {twice, "cell_2.1x1", "final_layer.FC"}


def test_the_port_is_made_by_what_it_is_given(images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """Once, for its network and dtype; an error in that is one of the port, in no layer."""
    asked_for: list[tuple[Network, str]] = []

    def make(network: Network, dtype: str) -> PNASNet:
        asked_for.append((network, dtype))
        raise ValueError("planted")

    port = Port(Network("mobile", 24, 32), "float64", make)
    assert asked_for == []
    with pytest.raises(CandidateError, match="ValueError: planted") as caught:
        _ = port.model
    assert caught.value.layer == ""
    assert asked_for == [(Network("mobile", 24, 32), "float64")]
    assert not any(port.results("float64", LAYERS, official_graph(LAYERS), images_nhwc, passing).values())


def test_leaving_the_process_is_an_error_of_the_port(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf
) -> None:
    tiny.get_submodule("cell_2.1x1").register_forward_pre_hook(lambda *_: sys.exit("licence missing"))
    results = port_of(tiny).results("float64", LAYERS, official_graph(LAYERS), images_nhwc, passing)
    assert failing(results) == {"cell_2.1x1", "final_layer.FC"}
    assert "the candidate fails with SystemExit: licence missing" in results["cell_2.1x1"].problem


def no_memory(*_: object) -> Tensor:
    return torch.empty(10**15)


def no_room(*_: object) -> Tensor:
    raise RuntimeError("cannot write port.onnx: No space left on device")


def nothing_to_give(*_: object) -> Tensor:
    raise InputError("its package is missing")


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (no_memory, "this machine has too little memory for the candidate: .*can't allocate"),
        (no_room, "this machine lacks what the candidate needs: No space left on device: make room on that disk"),
        (nothing_to_give, "its package is missing"),
    ],
)
def test_what_the_port_is_not_at_fault_for_is_not_its_result(
    tiny: PNASNet, images_nhwc: np.ndarray, forward: Callable[..., Tensor], said: str
) -> None:
    tiny.get_submodule("cell_2.1x1").forward = forward
    with pytest.raises(InputError, match=said):
        port_of(tiny).run(images_nhwc, LAYERS, lambda _layer, _value: None)


def test_a_port_that_cannot_be_had_is_no_result(images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    def make(_network: Network, _dtype: str) -> PNASNet:
        raise InputError("its package is missing")

    network = Network("mobile", 24, 32)
    with pytest.raises(InputError, match="its package"):
        Port(network, "float64", make).results("float64", LAYERS, official_graph(LAYERS), images_nhwc, passing)
    with pytest.raises(InputError, match="its package"):
        candidate_parts(network, make)


def test_weights_that_do_not_fit_are_the_result_of_the_port(images_nhwc: np.ndarray, official_graph: GraphOf) -> None:
    """A port that cannot even be made fails in every layer."""
    port = Port(Network("mobile", 24, 32), "float32")
    port.load({"conv0/weights": np.ones((3, 3, 3, 32))})
    results = port.results("float64", LAYERS, official_graph(LAYERS), images_nhwc, passing)
    assert results.keys() == LAYERS
    assert not any(results.values())
    assert all("the candidate fails with WeightsError" in result.problem for result in results.values())


def test_images_that_are_too_small_are_the_result_of_the_port(tiny: PNASNet, official_graph: GraphOf) -> None:
    images = np.zeros((1, 4, 4, 3), np.float32)
    results = port_of(tiny).results("float64", LAYERS, official_graph(LAYERS), images, passing)
    assert not any(results.values())


@pytest.mark.parametrize("kind", [KeyError, ValueError, RuntimeError])
def test_an_error_in_the_judgement_is_raised(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf, kind: type[Exception]
) -> None:
    """It is not called the port's, and it is the very error."""
    error = kind("planted in the judgement")

    def judge(_layer: str, _actual: np.ndarray) -> LayerResult:
        raise error

    with pytest.raises(kind) as caught:
        port_of(tiny).results("float64", LAYERS, official_graph(LAYERS), images_nhwc, judge)
    assert caught.value is error
