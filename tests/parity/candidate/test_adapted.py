"""A real other implementation, pytorchcv's, seen through its adapter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from parity.candidate.adapted import AdaptedModel, Implementation
from parity.candidate.adapter import built_in
from parity.candidate.model import PortModel
from parity.candidate.parts import CandidateParts
from parity.core.layers import Network, port_layers
from parity.gates.structure import compare_parts
from pnasnet_torch import variant
from pnasnet_torch.naming import NamingError
from pnasnet_torch.weights import empty_network
from tf_reference.errors import InputError

LARGE = Network("large", 331, 331)
CLASSES = (("num_classes", 10),)


@pytest.fixture(scope="module")
def cv() -> Implementation:
    return Implementation("pytorchcv", built_in("pytorchcv"))


@pytest.fixture(scope="module")
def model(cv: Implementation) -> AdaptedModel:
    return cv.make(LARGE, "float32")


@pytest.fixture(scope="module")
def variables() -> dict[str, np.ndarray]:
    """Random ones for each of the official network."""
    rng = np.random.default_rng(0)
    with torch.device("meta"):
        shapes = PortModel(empty_network(variant("large").config)).variables()
    return {name: rng.random(tuple(tensor.shape), np.float32) for name, tensor in shapes.items()}


def test_official_variables_are_loaded_bit_for_bit(model: AdaptedModel, variables: dict[str, np.ndarray]) -> None:
    model.load(variables)
    found = model.variables()
    assert found.keys() == variables.keys()
    assert all(np.array_equal(found[name].numpy(), array) for name, array in variables.items())


def test_what_it_shows_and_what_it_does_not(cv: Implementation, model: AdaptedModel) -> None:
    layers = port_layers("large")
    assert model.layers.keys() | cv.unobservable(LARGE) == set(layers)
    assert not model.layers.keys() & cv.unobservable(LARGE)
    assert {"cell_0.cell_output.concat", "cell_stem_1.avg_pool_1"} <= model.layers.keys() - model.replayable


def test_maps_of_one_pixel_are_vectors_where_the_adapter_says_so(model: AdaptedModel) -> None:
    ones = torch.ones(2, 3, 1, 1)
    assert model.value("final_layer.mean", ones).shape == (2, 3)
    assert model.value("final_layer.mean", ones.expand(2, 3, 2, 2)).shape == (2, 3, 2, 2)
    assert model.value("cell_0.1x1", ones).shape == (2, 3, 1, 1)


def test_networks_that_it_does_not_have(cv: Implementation) -> None:
    assert cv.refuses(LARGE) == ""
    assert cv.refuses(Network("mobile", 224, 224)) == "it has PNASNet-5 large alone"
    assert cv.refuses(Network("large", 331, 355)) == "it takes images of 323 to 354 pixels alone"


def test_weights_of_another_shape_are_named(cv: Implementation, variables: dict[str, np.ndarray]) -> None:
    other = Implementation("ten", replace(cv.adapter, arguments=CLASSES)).make(LARGE, "float32")
    with pytest.raises(NamingError, match=r"wrong shape: output\.fc\.weight: expected \(10, 4320\), found \(1001, 432"):
        other.load(variables)


def test_weights_on_one_side_alone_are_named(cv: Implementation, variables: dict[str, np.ndarray]) -> None:
    other = cv.make(LARGE, "float32")
    other.module.add_module("more", torch.nn.Linear(1, 1))
    delattr(other.module.output, "fc")
    with pytest.raises(NamingError, match=r"left over: more\.bias\n  .*\n  missing: output\.fc\.bias"):
        other.load(variables)
    assert {"more.bias", "more.weight"} <= other.variables().keys()


def test_what_gives_no_model_is_an_error(cv: Implementation) -> None:
    with pytest.raises(InputError, match="math:gcd gives int: expected a torch"):
        Implementation("no", replace(cv.adapter, make="math:gcd", arguments=())).make(LARGE, "float32")


def test_its_structure_is_that_of_what_it_shows(cv: Implementation) -> None:
    parts = cv.parts(LARGE)
    assert parts.failure is None
    assert {name for kind, name in parts.found if kind == "layer"} == parts.layers
    assert parts.unobservable == cv.unobservable(LARGE)
    assert parts.found["layer", "final_layer.mean"] == "(4320,) float32"


def test_layers_that_are_unseen_are_no_difference(cv: Implementation) -> None:
    """And one that it should show and does not is one."""
    from tf_reference.graph import GraphSpec, ReferenceGraph
    from tf_reference.layers import Layer

    row = Layer("", "Relu", "", (None, 4320), "float32", ())
    graph = ReferenceGraph(GraphSpec("large", 331, 331), None, {"final_layer.mean": row, "cell_0.concat": row}, {})
    parts = CandidateParts(
        {("layer", "final_layer.mean"): "(4320,) float32"}, frozenset(), None, cv.unobservable(LARGE)
    )
    names = ["final_layer.mean", "whole"]
    assert all(compare_parts(LARGE, graph, names, parts).values())
    assert not compare_parts(LARGE, graph, names, parts._replace(unobservable=frozenset()))["whole"]
