"""The structure gate catches each way in which two networks can have different parts."""

from ast import literal_eval
from dataclasses import replace

import pytest

from parity.candidate.parts import CandidateParts, Parts, candidate_parts
from parity.candidate.port import make_model
from parity.core.layers import WHOLE, Network, block, layer_of
from parity.gates.structure import compare_parts
from pnasnet_torch import PNASNet
from tf_reference.graph import GraphSpec, ReferenceGraph, Variable
from tf_reference.layers import Layer

MOBILE = Network("mobile", 224, 224)
LAYER, VARIABLE = "cell_5.comb_iter_0.left.separable_5x5_1.depthwise", "cell_5/1x1/weights"


@pytest.fixture(scope="module")
def port() -> CandidateParts:
    port = candidate_parts(MOBILE)
    assert not port.failure
    return port


@pytest.fixture(scope="module")
def parts(port: CandidateParts) -> Parts:
    return port.found


@pytest.fixture
def graph(parts: Parts) -> ReferenceGraph:
    """An official graph with just the parts of the port."""
    layers, variables = {}, {}
    for (kind, name), text in parts.items():
        if kind == "variable":
            variables[name] = Variable(literal_eval(text), "", "")
        else:
            shape, _, dtype = text.rpartition(" ")
            layers[name] = Layer(name, "Relu", "", (None, *literal_eval(shape)), dtype, ())
    return ReferenceGraph(GraphSpec("mobile", 224, 224), None, layers, variables)


def failing(graph: ReferenceGraph, port: CandidateParts, *more: str) -> set[str]:
    """Those of all layers, all blocks, the whole and `more` that fail."""
    names = {*graph.layers, *map(block, graph.layers), WHOLE, LAYER, *more}
    results = compare_parts(MOBILE, graph, names, port)
    assert results.keys() == names
    return {name for name, result in results.items() if not result}


def test_the_port_has_the_parts_of_its_layers(parts: Parts) -> None:
    """726 layers with their shapes (H, W, C) and dtypes, and the variables in TensorFlow's layout."""
    assert sum(kind == "layer" for kind, _ in parts) == 726
    assert parts["layer", "conv0"] == "(111, 111, 32) float32"
    assert parts["variable", "conv0/weights"] == "(3, 3, 3, 32)"
    assert parts["layer", "final_layer.predictions"] == "(1001,) float32"


def test_equal_parts_pass(graph: ReferenceGraph, port: CandidateParts) -> None:
    assert failing(graph, port) == set()


def test_a_layer_that_the_official_network_lacks(graph: ReferenceGraph, port: CandidateParts) -> None:
    """It fails for the layer, its block and the whole, and for nothing else."""
    del graph.layers[LAYER]
    assert failing(graph, port) == {LAYER, "cell_5", WHOLE}


def test_a_layer_that_the_port_lacks(graph: ReferenceGraph, port: CandidateParts) -> None:
    graph.layers["cell_5.extra"] = graph.layers[LAYER]
    assert failing(graph, port) == {"cell_5.extra", "cell_5", WHOLE}


def test_a_block_that_the_port_lacks(graph: ReferenceGraph, port: CandidateParts) -> None:
    graph.layers["cell_99.1x1"] = graph.layers[LAYER]
    assert failing(graph, port) == {"cell_99.1x1", "cell_99", WHOLE}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shape": (None, 14, 14, 217)}, id="channels"),
        pytest.param({"shape": (None, 14 * 14, 216)}, id="rank"),
        pytest.param({"shape": (None, None, None, 216)}, id="unknown sides"),
        pytest.param({"dtype": "float64"}, id="dtype"),
    ],
)
def test_a_layer_of_another_kind(graph: ReferenceGraph, port: CandidateParts, change: dict[str, object]) -> None:
    """Another shape or dtype fails for the layer, its block and the whole."""
    graph.layers[LAYER] = replace(graph.layers[LAYER], **change)  # type: ignore[arg-type]
    assert failing(graph, port) == {LAYER, "cell_5", WHOLE}


@pytest.mark.parametrize("variable", [VARIABLE, "cell_5/beginning_bn/moving_mean"])
def test_a_variable_that_the_official_network_lacks(graph: ReferenceGraph, port: CandidateParts, variable: str) -> None:
    """It fails for its layer, its block and the whole."""
    del graph.variables[variable]
    assert failing(graph, port) == {layer_of(variable), "cell_5", WHOLE}


def test_a_variable_that_the_port_lacks(graph: ReferenceGraph, port: CandidateParts) -> None:
    graph.variables["cell_5/1x1/biases"] = Variable((216,), "", "")
    assert failing(graph, port) == {"cell_5.1x1", "cell_5", WHOLE}


def test_a_variable_in_another_layout(graph: ReferenceGraph, port: CandidateParts) -> None:
    """The same values in the order OIHW are another shape."""
    shape = graph.variables[VARIABLE].shape
    graph.variables[VARIABLE] = replace(graph.variables[VARIABLE], shape=(shape[3], shape[2], *shape[:2]))
    assert failing(graph, port) == {"cell_5.1x1", "cell_5", WHOLE}


def test_a_name_on_neither_side(graph: ReferenceGraph, port: CandidateParts) -> None:
    assert failing(graph, port, "cell_5.no_such_layer", "no_such_block") == {"cell_5.no_such_layer", "no_such_block"}


def test_nothing_passes_where_both_sides_are_empty(graph: ReferenceGraph) -> None:
    empty = replace(graph, layers={}, variables={})
    assert failing(empty, CandidateParts({}, frozenset(), None), "conv0") == {"conv0", LAYER, WHOLE}


def test_a_difference_is_told_with_both_sides(graph: ReferenceGraph, port: CandidateParts, parts: Parts) -> None:
    """What the port has, what the official network has, and how many parts were compared."""
    graph.layers[LAYER] = replace(graph.layers[LAYER], dtype="float64")
    del graph.variables[VARIABLE]
    text = str(compare_parts(MOBILE, graph, [WHOLE], port)[WHOLE])
    own = parts["layer", LAYER]
    assert f"layer {LAYER}: candidate {own}, official {own.replace('32', '64')}" in text
    assert f"variable {VARIABLE}: candidate {parts['variable', VARIABLE]}, official has none" in text
    assert f"differences in {len(parts):,} layers and variables: measured 2, allowed 0" in text


def test_many_differences_are_counted(graph: ReferenceGraph, port: CandidateParts) -> None:
    """Twenty are listed, the rest is a number."""
    graph.layers.clear()
    notes = compare_parts(MOBILE, graph, [WHOLE], port)[WHOLE].notes
    assert len(notes) == 21
    assert notes[-1] == "and 706 more"


def broken(*_: object) -> PNASNet:
    raise ValueError("planted")


def breaking_off(network: Network, dtype: str) -> PNASNet:
    """A port that raises an error in the global mean."""
    model = make_model(network, dtype)
    model.get_submodule("final_layer.mean").forward = broken
    return model


def test_a_port_that_cannot_be_made_fails_everywhere(graph: ReferenceGraph) -> None:
    """Nothing of it is known, and no layer was reached."""
    port = candidate_parts(MOBILE, broken)
    assert (port.found, port.layers) == ({}, frozenset())
    assert failing(graph, port) == {*graph.layers, *map(block, graph.layers), WHOLE}
    result = compare_parts(MOBILE, graph, ["conv0"], candidate_parts(MOBILE, broken))["conv0"]
    assert "the candidate fails with ValueError: planted" in str(result)
    assert not result.reached


def test_a_port_that_breaks_off_fails_from_there_on(graph: ReferenceGraph) -> None:
    """Each layer that was not reached says why; those before it pass."""
    late = {"final_layer.mean", "final_layer.FC", "final_layer.predictions"}
    port = candidate_parts(MOBILE, breaking_off)
    assert port.failure
    assert port.failure.layer == "final_layer.mean"
    assert port.layers == graph.layers.keys()
    assert failing(graph, port) == {*late, "final_layer", WHOLE}
    assert "ValueError: planted" in str(compare_parts(MOBILE, graph, late, port)["final_layer.FC"])


def test_only_what_the_port_reached_is_at_fault_by_itself(graph: ReferenceGraph) -> None:
    """The layer that raised the error, and one behind it whose variable is another; the rest was not reached."""
    shape = graph.variables["final_layer/FC/biases"].shape
    graph.variables["final_layer/FC/biases"] = Variable((*shape, 1), "", "")
    results = compare_parts(MOBILE, graph, graph.layers, candidate_parts(MOBILE, breaking_off))
    assert {layer for layer, result in results.items() if not result.reached} == {"final_layer.predictions"}
    assert not results["final_layer.mean"]
    assert not results["final_layer.FC"]
