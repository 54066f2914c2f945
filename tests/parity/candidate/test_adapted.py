"""A real other implementation, pytorchcv's, seen through its adapter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from parity.candidate.adapted import AdaptedModel
from parity.candidate.find import find_candidate
from parity.candidate.implementation import Implementation
from parity.candidate.model import PortModel
from parity.candidate.parts import CandidateParts
from parity.core.layers import Network, port_layers
from parity.gates.structure import compare_parts
from pnasnet_torch import variant
from pnasnet_torch.naming import NamingError
from pnasnet_torch.weights import empty_network

LARGE = Network("large", 331, 331)
TEN_CLASSES = (("num_classes", 10),)


@pytest.fixture(scope="module")
def cv() -> Implementation:
    candidate = find_candidate("pytorchcv")
    assert isinstance(candidate, Implementation)
    return candidate


@pytest.fixture(scope="module")
def model(cv: Implementation) -> AdaptedModel:
    return cv.make(LARGE, "float32")


@pytest.fixture(scope="module")
def variables() -> dict[str, np.ndarray]:
    """Random values for each variable of the official network."""
    rng = np.random.default_rng(0)
    with torch.device("meta"):
        shapes = PortModel(empty_network(variant("large").config)).variables()
    return {name: rng.random(tuple(tensor.shape), np.float32) for name, tensor in shapes.items()}


def test_official_variables_are_loaded_bit_for_bit(model: AdaptedModel, variables: dict[str, np.ndarray]) -> None:
    model.load(variables)
    loaded = model.variables()
    assert loaded.keys() == variables.keys()
    for name, array in variables.items():
        assert np.array_equal(loaded[name].numpy(), array), name


def test_what_it_shows_and_what_it_does_not(cv: Implementation, model: AdaptedModel) -> None:
    """Each official layer is either shown or unobservable; some that are shown cannot be run alone."""
    unobservable = cv.unobservable(LARGE)
    assert model.observable | unobservable == set(port_layers("large"))
    assert not model.observable & unobservable
    # It pads some maps of cell 4 by a row more than it needs, and cuts that off behind these.
    cut = {layer for layer in unobservable if layer.startswith("cell_4.")}
    assert unobservable == cut | {"final_layer.predictions"}
    assert len(cut) == 5
    # Modules that take more than the official layer does, and what functions give.
    assert {"cell_0.cell_output.concat", "cell_stem_1.avg_pool_1"} <= model.observable - model.replayable


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
    of_ten_classes = Implementation("ten", replace(cv.adapter, arguments=TEN_CLASSES)).make(LARGE, "float32")
    with pytest.raises(NamingError, match=r"wrong shape: output\.fc\.weight: expected \(10, 4320\), found \(1001, 432"):
        of_ten_classes.load(variables)


def test_weights_on_one_side_alone_are_named(cv: Implementation, variables: dict[str, np.ndarray]) -> None:
    changed = cv.make(LARGE, "float32")
    changed.module.add_module("more", torch.nn.Linear(1, 1))
    delattr(changed.module.output, "fc")
    with pytest.raises(NamingError, match=r"left over: more\.bias\n  .*\n  missing: output\.fc\.bias"):
        changed.load(variables)
    assert {"more.bias", "more.weight"} <= changed.variables().keys()


def test_its_structure_is_that_of_what_it_shows(cv: Implementation) -> None:
    parts = cv.parts(LARGE)
    assert parts.failure is None
    reached = {name for kind, name in parts.found if kind == "layer"}
    assert reached == parts.layers
    assert parts.unobservable == cv.unobservable(LARGE)
    assert parts.found["layer", "final_layer.mean"] == "(4320,) float32"


def test_layers_that_are_unobservable_are_no_difference(cv: Implementation) -> None:
    """And a layer that the candidate should show and does not is one."""
    from tf_reference.graph import GraphSpec, ReferenceGraph
    from tf_reference.layers import Layer

    layer = Layer("", "Relu", "", (None, 4320), "float32", ())
    layers = {"final_layer.mean": layer, "final_layer.predictions": layer}
    graph = ReferenceGraph(GraphSpec("large", 331, 331), None, layers, {})
    shown = {("layer", "final_layer.mean"): "(4320,) float32"}
    parts = CandidateParts(shown, frozenset(), None, cv.unobservable(LARGE))
    names = ["final_layer.mean", "whole"]
    assert all(compare_parts(LARGE, graph, names, parts).values())
    assert not compare_parts(LARGE, graph, names, parts._replace(unobservable=frozenset()))["whole"]
