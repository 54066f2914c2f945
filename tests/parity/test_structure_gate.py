"""The structure gate catches each way in which two networks can have different parts."""

from ast import literal_eval
from collections.abc import Callable
from dataclasses import replace

import pytest

from parity import structure
from parity.layers import WHOLE, Network, block
from tf_reference.graph import GraphSpec, ReferenceGraph, Variable
from tf_reference.layers import Layer

MOBILE = Network("mobile", 224, 224)
LAYER, VARIABLE = "cell_5.comb_iter_0.left.separable_5x5_1.depthwise", "cell_5/1x1/weights"
Parts = dict[tuple[str, str], str]
PortParts = Callable[[Network], tuple[Parts, str]]


@pytest.fixture(scope="module")
def parts() -> Parts:
    parts, failure = structure.port_parts(MOBILE)
    assert not failure
    return parts


@pytest.fixture(scope="module")
def port_parts() -> PortParts:
    """The function itself, where the fixture `graph` has put the parts in its place."""
    return structure.port_parts


@pytest.fixture
def graph(parts: Parts, port_parts: PortParts, monkeypatch: pytest.MonkeyPatch) -> ReferenceGraph:
    """An official graph with just the parts of the port, which are found once only."""
    monkeypatch.setattr(structure, "port_parts", lambda _network: (parts, ""))
    layers, variables = {}, {}
    for (kind, name), text in parts.items():
        if kind == "variable":
            variables[name] = Variable(literal_eval(text), "", "")
        else:
            shape, _, dtype = text.rpartition(" ")
            layers[name] = Layer(name, "Relu", "", (None, *literal_eval(shape)), dtype, ())
    return ReferenceGraph(GraphSpec("mobile", 224, 224), None, layers, variables)


def failing(graph: ReferenceGraph, *more: str) -> set[str]:
    """Those of all layers, all blocks, the whole and `more` that fail."""
    names = {*graph.layers, *map(block, graph.layers), WHOLE, LAYER, *more}
    results = structure.judge(MOBILE, graph, names)
    assert results.keys() == names
    return {name for name, result in results.items() if not result}


def test_the_port_has_the_parts_of_its_layers(parts: Parts) -> None:
    """726 layers with their shapes (H, W, C) and dtypes, and the variables in TensorFlow's layout."""
    assert sum(kind == "layer" for kind, _ in parts) == 726
    assert parts["layer", "conv0"] == "(111, 111, 32) float32"
    assert parts["variable", "conv0/weights"] == "(3, 3, 3, 32)"
    assert parts["layer", "final_layer.predictions"] == "(1001,) float32"


def test_equal_parts_pass(graph: ReferenceGraph) -> None:
    assert failing(graph) == set()


def test_a_layer_that_the_official_network_lacks(graph: ReferenceGraph) -> None:
    """It fails for the layer, its block and the whole, and for nothing else."""
    del graph.layers[LAYER]
    assert failing(graph) == {LAYER, "cell_5", WHOLE}


def test_a_layer_that_the_port_lacks(graph: ReferenceGraph) -> None:
    graph.layers["cell_5.extra"] = graph.layers[LAYER]
    assert failing(graph) == {"cell_5.extra", "cell_5", WHOLE}


def test_a_block_that_the_port_lacks(graph: ReferenceGraph) -> None:
    graph.layers["cell_99.1x1"] = graph.layers[LAYER]
    assert failing(graph) == {"cell_99.1x1", "cell_99", WHOLE}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shape": (None, 14, 14, 217)}, id="channels"),
        pytest.param({"shape": (None, 14 * 14, 216)}, id="rank"),
        pytest.param({"shape": (None, None, None, 216)}, id="unknown sides"),
        pytest.param({"dtype": "float64"}, id="dtype"),
    ],
)
def test_a_layer_of_another_kind(graph: ReferenceGraph, change: dict[str, object]) -> None:
    """Another shape or dtype fails for the layer, its block and the whole."""
    graph.layers[LAYER] = replace(graph.layers[LAYER], **change)  # type: ignore[arg-type]
    assert failing(graph) == {LAYER, "cell_5", WHOLE}


@pytest.mark.parametrize("variable", [VARIABLE, "cell_5/beginning_bn/moving_mean"])
def test_a_variable_that_the_official_network_lacks(graph: ReferenceGraph, variable: str) -> None:
    """It fails for its block and the whole; a layer alone is judged by its output."""
    del graph.variables[variable]
    assert failing(graph) == {"cell_5", WHOLE}


def test_a_variable_that_the_port_lacks(graph: ReferenceGraph) -> None:
    graph.variables["cell_5/1x1/biases"] = Variable((216,), "", "")
    assert failing(graph) == {"cell_5", WHOLE}


def test_a_variable_in_another_layout(graph: ReferenceGraph) -> None:
    """The same values in the order OIHW are another shape."""
    shape = graph.variables[VARIABLE].shape
    graph.variables[VARIABLE] = replace(graph.variables[VARIABLE], shape=(shape[3], shape[2], *shape[:2]))
    assert failing(graph) == {"cell_5", WHOLE}


def test_a_name_on_neither_side(graph: ReferenceGraph) -> None:
    assert failing(graph, "cell_5.no_such_layer", "no_such_block") == {"cell_5.no_such_layer", "no_such_block"}


def test_nothing_passes_where_both_sides_are_empty(graph: ReferenceGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "port_parts", lambda _network: ({}, ""))
    empty = replace(graph, layers={}, variables={})
    assert failing(empty, "conv0") == {"conv0", LAYER, WHOLE}


def test_a_difference_is_told_with_both_sides(graph: ReferenceGraph, parts: Parts) -> None:
    """What the port has, what the official network has, and how many parts were compared."""
    graph.layers[LAYER] = replace(graph.layers[LAYER], dtype="float64")
    del graph.variables[VARIABLE]
    text = str(structure.judge(MOBILE, graph, [WHOLE])[WHOLE])
    port = parts["layer", LAYER]
    assert f"layer {LAYER}: port {port}, official {port.replace('32', '64')}" in text
    assert f"variable {VARIABLE}: port {parts['variable', VARIABLE]}, official has none" in text
    assert f"differences in {len(parts):,} layers and variables: measured 2, allowed 0" in text


def test_many_differences_are_counted(graph: ReferenceGraph) -> None:
    """Twenty are listed, the rest is a number."""
    graph.layers.clear()
    notes = structure.judge(MOBILE, graph, [WHOLE])[WHOLE].notes
    assert len(notes) == 21
    assert notes[-1] == "and 706 more"


def broken(*_: object) -> None:
    raise ValueError("planted")


def test_a_port_that_cannot_be_made_fails_everywhere(
    graph: ReferenceGraph, port_parts: PortParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "port_parts", port_parts)
    monkeypatch.setattr(structure, "empty_network", broken)
    assert failing(graph) == {*graph.layers, *map(block, graph.layers), WHOLE}
    assert "the port fails with ValueError: planted" in str(structure.judge(MOBILE, graph, ["conv0"])["conv0"])


def test_a_port_that_breaks_off_fails_from_there_on(
    graph: ReferenceGraph, port_parts: PortParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer that was not reached says why; those before it pass."""
    monkeypatch.setattr(structure, "port_parts", port_parts)
    monkeypatch.setattr("pnasnet_torch.operations.GlobalMean.forward", broken)
    late = {"final_layer.mean", "final_layer.FC", "final_layer.predictions"}
    assert failing(graph) == {*late, "final_layer", WHOLE}
    assert "ValueError: planted" in str(structure.judge(MOBILE, graph, late)["final_layer.FC"])
