"""Layers are named by type and scope alone, and their graph is TensorFlow's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tf_reference.compat import building, tensorflow
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.layers import IMAGES, layer_name
from tf_reference.official import Source

NAMES = [
    ("Conv2D", "conv0/Conv2D", "conv0"),
    ("Conv2D", "cell_0/1x1/Conv2D", "cell_0.1x1"),
    ("FusedBatchNormV3", "cell_0/beginning_bn/FusedBatchNormV3", "cell_0.beginning_bn"),
    ("AddV2", "cell_0/beginning_bn/batchnorm/add_1", "cell_0.beginning_bn"),
    ("AddV2", "cell_0/beginning_bn/batchnorm/add", None),
    ("Mul", "cell_0/beginning_bn/batchnorm/mul_1", None),
    ("Rsqrt", "cell_0/beginning_bn/batchnorm/Rsqrt", None),
    ("Mean", "conv0_bn/moments/mean", None),
    ("Mean", "final_layer/Mean", "final_layer.mean"),
    ("Relu", "cell_0/Relu", "cell_0.relu"),
    ("Relu", "cell_0/Relu_1", "cell_0.relu_1"),
    ("Relu6", "cell_0/Relu6", "cell_0.relu6"),
    ("Relu6", "cell_0/Relu6_1", "cell_0.relu6_1"),
    ("Relu", "Relu", "relu"),
    (
        "DepthwiseConv2dNative",
        "cell_0/left/separable_3x3_1/separable_conv2d/depthwise",
        "cell_0.left.separable_3x3_1.depthwise",
    ),
    ("Conv2D", "cell_0/left/separable_3x3_1/separable_conv2d", "cell_0.left.separable_3x3_1.pointwise"),
    ("MaxPool", "cell_0/left/MaxPool2D/MaxPool", "cell_0.left.max_pool"),
    ("AvgPool", "cell_0/AvgPool", "cell_0.avg_pool"),
    ("AvgPool", "cell_0/AvgPool_1", "cell_0.avg_pool_1"),
    ("AvgPool", "cell_0/AvgPool2D_1", "cell_0.avg_pool_1"),
    ("AvgPool", "aux/aux_logits/AvgPool2D/AvgPool", "aux.aux_logits.avg_pool"),
    ("AddV2", "cell_0/comb_iter_0/combine/add", "cell_0.comb_iter_0.combine.add"),
    ("AddV2", "cell_0/comb_iter_0/left/drop_path/add", None),
    ("ConcatV2", "cell_0/cell_output/concat", "cell_0.cell_output.concat"),
    ("ConcatV2", "cell_0/concat", "cell_0.concat"),
    ("Minimum", "cell_0/1x1/clip_by_value/Minimum", None),
    ("Maximum", "cell_0/clip_by_value", "cell_0.clip_by_value"),
    ("MatMul", "final_layer/FC/MatMul", None),
    ("BiasAdd", "final_layer/FC/BiasAdd", "final_layer.FC"),
    ("Softmax", "final_layer/predictions", "final_layer.predictions"),
    ("Placeholder", "images", None),
    ("Const", "cell_0/Const", None),
    ("VarHandleOp", "conv0/weights", None),
]
CELL = "cell_0.comb_iter_{}.combine.add"
INPUTS = {
    "conv0": (IMAGES,),
    "conv0_bn": ("conv0",),
    "cell_0.relu": ("cell_stem_0.cell_output.concat",),
    "cell_0.relu_1": ("cell_stem_1.cell_output.concat",),
    "cell_0.avg_pool_1": ("cell_0.relu",),
    "cell_0.concat": ("cell_0.path1_conv", "cell_0.path2_conv"),
    "cell_0.comb_iter_0.left.separable_5x5_1.pointwise": ("cell_0.comb_iter_0.left.separable_5x5_1.depthwise",),
    "cell_0.comb_iter_0.combine.add": ("cell_0.comb_iter_0.left.bn_sep_5x5_2", "cell_0.comb_iter_0.right.max_pool"),
    "cell_0.comb_iter_2.combine.add": ("cell_0.comb_iter_2.left.bn_sep_5x5_2", "cell_0.comb_iter_2.right.bn_sep_3x3_2"),
    "cell_0.comb_iter_3.left.relu": ("cell_0.comb_iter_2.combine.add",),
    "cell_0.comb_iter_4.combine.add": ("cell_0.comb_iter_4.left.bn_sep_3x3_2", "cell_0.beginning_bn"),
    "cell_0.cell_output.concat": tuple(CELL.format(i) for i in range(5)),
    "final_layer.FC": ("final_layer.mean",),
    "final_layer.predictions": ("final_layer.FC",),
}


@pytest.mark.parametrize(("kind", "path", "name"), NAMES, ids=[f"{kind}-{path}" for kind, path, _ in NAMES])
def test_layer_name(kind: str, path: str, name: str | None) -> None:
    assert layer_name(kind, path) == name


@pytest.mark.parametrize("kind", ["Sigmoid", "Conv3D", "FusedBatchNorm", "conv2d", ""])
def test_an_operation_of_an_unknown_kind_is_an_error(kind: str) -> None:
    with pytest.raises(InputError, match=f"unknown kind: {kind} cell_0/batchnorm/new"):
        layer_name(kind, "cell_0/batchnorm/new")


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_the_layers_that_feed_it(name: str, graph: ReferenceGraph) -> None:
    assert graph.layers[name].inputs == INPUTS[name]


def test_feeders_are_the_inputs_of_each_layer(graph: ReferenceGraph) -> None:
    """In the order of the graph, which is one of execution."""
    assert list(graph.feeders) == list(graph.layers)
    assert {name: graph.feeders[name] for name in INPUTS} == INPUTS


def test_layers_come_after_their_inputs(graph: ReferenceGraph) -> None:
    known = {IMAGES}
    for name, layer in graph.layers.items():
        assert layer.name == name
        assert layer.inputs
        assert set(layer.inputs) <= known
        known.add(name)


def test_every_layer_is_used(graph: ReferenceGraph) -> None:
    """All but the predictions."""
    used = {name for layer in graph.layers.values() for name in layer.inputs}
    assert graph.layers.keys() - used == {"final_layer.predictions"}
    assert list(graph.layers)[-1] == "final_layer.predictions"


def test_every_layer_is_of_the_spec_s_type_and_open_in_its_batch(graph: ReferenceGraph) -> None:
    assert {layer.dtype for layer in graph.layers.values()} == {"float64"}
    assert {layer.shape[0] for layer in graph.layers.values()} == {None}
    assert all(None not in layer.shape[1:] for layer in graph.layers.values())


def test_every_variable_belongs_to_a_layer(graph: ReferenceGraph) -> None:
    halves = {name.rpartition(".")[0] for name in graph.layers if name.endswith((".depthwise", ".pointwise"))}
    scopes = {name.rpartition("/")[0].replace("/", ".") for name in graph.variables}
    assert scopes <= graph.layers.keys() | halves
    assert graph.variables["conv0/weights"].shape == (3, 3, 3, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "size", "layers"), [("large", 331, 915), ("mobile", 224, 726)])
def test_the_released_networks(variant: str, size: int, layers: int, source: Source) -> None:
    """In float32 a batch norm is one fused operation."""
    graph = reference_graph(source, GraphSpec(variant, size, size))
    assert len(graph.layers) == layers
    assert graph.layers["final_layer.predictions"].shape == (None, 1001)
    kinds = {layer.kind for layer in graph.layers.values()}
    assert "FusedBatchNormV3" in kinds
    assert {layer.dtype for layer in graph.layers.values()} == {"float32"}
    assert not any(name.startswith("aux_") for name in graph.layers)


@pytest.fixture(scope="module")
def training_graph(source: Source, small: GraphSpec) -> ReferenceGraph:
    """The small network's training graph, for images that are not square."""
    return reference_graph(source, replace(small, height=128, width=161, dtype="float32", training=True))


def test_the_training_graph_has_the_auxiliary_head(training_graph: ReferenceGraph, graph: ReferenceGraph) -> None:
    """And all layers and variables of the evaluation graph besides."""
    additional = training_graph.variables.keys() - graph.variables.keys()
    assert additional
    assert all(name.startswith("aux_") for name in additional)
    assert graph.variables.keys() <= training_graph.variables.keys()
    assert any(name.endswith("aux_logits.FC") for name in training_graph.layers)


def test_height_comes_before_width(training_graph: ReferenceGraph) -> None:
    """The first convolution, of 3x3 and stride 2, adds no border; everything behind it does."""
    assert training_graph.layers["conv0"].shape == (None, 63, 80, 8)
    assert training_graph.layers["cell_0.comb_iter_0.left.relu"].shape == (None, 16, 20, 8)


@pytest.mark.parametrize(
    "change",
    [{"height": 2}, {"hparams": (("skip_reduction_layer_input", 0), ("num_cells", 2))}],
    ids=["too-small", "reduction-first-without-skip"],
)
def test_what_the_official_code_cannot_build_is_an_input_error(
    change: dict[str, Any], source: Source, small: GraphSpec, empty_cache: Path
) -> None:
    with pytest.raises(InputError, match="the official code cannot build GraphSpec"):
        reference_graph(source, replace(small, **change))
    assert not any((empty_cache / "graphs").iterdir())


def test_an_unknown_hyper_parameter_is_an_error(source: Source, small: GraphSpec, empty_cache: Path) -> None:
    with pytest.raises(KeyError, match=r"no hyper-parameter 'num_sells'.*num_cells"):
        reference_graph(source, replace(small, hparams=(("num_sells", 3),)))


@pytest.mark.parametrize("by_value", [True, False])
def test_tensors_are_compared_by_identity_while_a_graph_is_built(by_value: bool) -> None:
    """As in TF1, and then as before: a set of variables is slow where they are compared by value."""
    tf = tensorflow()
    tensor, same = tf.constant(1), tf.constant(1)
    if not by_value:
        tf.compat.v1.disable_tensor_equality()
    try:
        with building():
            assert (tensor == same) is False
        assert bool(tensor == same) == by_value
    finally:
        tf.compat.v1.enable_tensor_equality()
