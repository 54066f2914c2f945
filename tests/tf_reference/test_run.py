"""A run gives each layer what TensorFlow computes for it, whichever layers are asked for."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.waiting import run
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.layers import IMAGES
from tf_reference.official import Source
from tf_reference.run import OfficialRun

Layers = dict[str, np.ndarray]
SUBSETS = [
    ["final_layer.predictions"],
    ["conv0"],
    ["cell_0.comb_iter_0.combine.add", "cell_stem_1.cell_output.concat", "cell_0.comb_iter_2.left.bn_sep_5x5_1"],
]


@pytest.fixture(scope="module")
def official(graph: ReferenceGraph, variables: Layers) -> Iterator[OfficialRun]:
    with OfficialRun(graph, threads=1) as official:
        official.assign(variables)
        yield official


def test_every_layer_comes_as_the_graph_describes_it(expected: Layers, graph: ReferenceGraph) -> None:
    assert list(expected) == list(graph.layers)
    for name, layer in graph.layers.items():
        assert expected[name].shape == (3, *layer.shape[1:])
        assert expected[name].dtype == layer.dtype
        assert np.isfinite(expected[name]).all()
    varied = [name for name, array in expected.items() if array.std() > 0.01]
    assert len(varied) > 0.9 * len(expected)


@pytest.mark.parametrize("names", SUBSETS, ids=["last", "first", "some"])
def test_a_subset_has_the_same_values_bit_for_bit(
    names: list[str], graph: ReferenceGraph, variables: Layers, images: np.ndarray, expected: Layers
) -> None:
    with OfficialRun(graph, names, threads=1) as official:
        official.assign(variables)
        values = official.run(images)
    assert list(values) == names
    for name in names:
        assert values[name].tobytes() == expected[name].tobytes()


def test_only_the_variables_upstream_are_needed(graph: ReferenceGraph, variables: Layers, images: np.ndarray) -> None:
    of_batch_norm = ("conv0_bn/beta", "conv0_bn/gamma", "conv0_bn/moving_mean", "conv0_bn/moving_variance")
    upstream = {"conv0/weights", *of_batch_norm}
    with OfficialRun(graph, ["conv0_bn"]) as official:
        assert official.variables.keys() == upstream
        official.assign({name: variables[name] for name in upstream})
        assert official.run(images).keys() == {"conv0_bn"}


def test_all_layers_need_all_variables(official: OfficialRun, graph: ReferenceGraph) -> None:
    assert official.variables == graph.variables


def test_the_dense_layer_is_what_numpy_computes(variables: Layers, expected: Layers) -> None:
    """The weights reach the layers that they are named for."""
    logits = expected["final_layer.mean"] @ variables["final_layer/FC/weights"] + variables["final_layer/FC/biases"]
    np.testing.assert_allclose(expected["final_layer.FC"], logits, rtol=1e-12)


def test_a_batch_is_its_images_one_by_one(official: OfficialRun, images: np.ndarray, expected: Layers) -> None:
    one_by_one = [official.run(image[None]) for image in images]
    for name, batch_nhwc in expected.items():
        layer_nhwc = np.concatenate([values[name] for values in one_by_one])
        np.testing.assert_allclose(layer_nhwc, batch_nhwc, rtol=1e-10, atol=1e-12, err_msg=name)


def test_images_of_another_type_are_converted(official: OfficialRun, images: np.ndarray) -> None:
    float32 = images.astype(np.float32)
    expected = official.run(float32.astype(np.float64))["conv0"]
    np.testing.assert_array_equal(official.run(float32)["conv0"], expected)


@pytest.mark.parametrize(
    "shape",
    [(1, 64, 63, 3), (1, 63, 64, 3), (1, 3, 64, 64), (1, 64, 64, 1), (64, 64, 3), (1, 1, 64, 64, 3)],
    ids=lambda shape: "x".join(str(size) for size in shape),
)
def test_images_of_another_size_are_refused(shape: tuple[int, ...], official: OfficialRun) -> None:
    with pytest.raises(InputError, match=r"expected images \(N, 64, 64, 3\), found") as caught:
        official.run(np.zeros(shape))
    assert str(shape) in str(caught.value)


def test_missing_and_misshapen_variables_are_refused_together(graph: ReferenceGraph, variables: Layers) -> None:
    values = variables | {"conv0/weights": variables["conv0/weights"][:2], "more/weights": np.ones(3)}
    del values["conv0_bn/gamma"]
    with OfficialRun(graph, ["conv0_bn"]) as official, pytest.raises(InputError, match="do not fit") as caught:
        official.assign(values)
    assert str(caught.value).splitlines()[1:] == [
        "  conv0/weights: expected shape (3, 3, 3, 8), found (2, 3, 3, 8)",
        "  conv0_bn/gamma: expected shape (8,), found nothing",
    ]


@pytest.mark.parametrize("shape", [(3, 3, 8, 3), (1, 3, 3, 3, 8), (), (216,)], ids=str)
def test_a_shape_that_would_broadcast_or_fit_in_size_is_refused(
    shape: tuple[int, ...], graph: ReferenceGraph, variables: Layers
) -> None:
    with OfficialRun(graph, ["conv0"]) as official, pytest.raises(InputError, match="conv0/weights"):
        official.assign(variables | {"conv0/weights": np.ones(shape)})


def test_values_may_be_set_again(graph: ReferenceGraph, variables: Layers, images: np.ndarray) -> None:
    with OfficialRun(graph, ["conv0"], threads=1) as official:
        official.assign(variables)
        first = official.run(images)["conv0"]
        official.assign({"conv0/weights": 2 * variables["conv0/weights"]})
        np.testing.assert_array_equal(official.run(images)["conv0"], 2 * first)


def test_without_values_there_is_no_result(graph: ReferenceGraph, images: np.ndarray, tf: object) -> None:
    """No variable has a value of its own that could stand in for a forgotten one."""
    failed = tf.errors.FailedPreconditionError  # type: ignore[attr-defined]
    with OfficialRun(graph, ["conv0"]) as official, pytest.raises(failed):
        official.run(images)


def test_two_runs_keep_their_own_values(graph: ReferenceGraph, variables: Layers, images: np.ndarray) -> None:
    with OfficialRun(graph, ["conv0"]) as first, OfficialRun(graph, ["conv0"]) as second:
        first.assign(variables)
        second.assign({"conv0/weights": np.zeros((3, 3, 3, 8))})
        assert first.run(images)["conv0"].any()
        assert not second.run(images)["conv0"].any()


def test_after_the_block_it_is_closed(graph: ReferenceGraph, images: np.ndarray) -> None:
    with OfficialRun(graph, ["conv0"]) as official:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        official.run(images)


def test_moments_are_those_of_the_layer_below(
    source: Source, small: GraphSpec, variables: Layers, images: np.ndarray
) -> None:
    """Over batch, height and width; the variance is Bessel-corrected."""
    spec = replace(small, dtype="float32", training=True, hparams=(*small.hparams, ("use_aux_head", 0)))
    with OfficialRun(reference_graph(source, spec), ["conv0", "conv0_bn"]) as official:
        official.assign(variables)
        x_nhwc = official.run(images)["conv0"].astype(np.float64)
        moments = official.moments(images)
    assert moments.keys() == {"conv0_bn"}
    np.testing.assert_allclose(moments["conv0_bn"][0], x_nhwc.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moments["conv0_bn"][1], x_nhwc.var((0, 1, 2), ddof=1), rtol=1e-4)


def test_a_layer_alone_gives_what_it_gave_in_the_whole(
    official: OfficialRun, graph: ReferenceGraph, images: np.ndarray, expected: Layers
) -> None:
    """For every layer, from the values of the layers that feed it, or the images: the same bits."""
    values = expected | {IMAGES: images}
    for name, layer in graph.layers.items():
        output = official.replay(name, [values[feeder] for feeder in layer.inputs])
        assert output.tobytes() == expected[name].tobytes(), name


def test_a_layer_alone_sees_its_inputs_and_nothing_else(
    official: OfficialRun, graph: ReferenceGraph, expected: Layers
) -> None:
    """Each in its place, converted to the graph's dtype; none is changed."""
    name = "cell_0.cell_output.concat"
    inputs = []
    for number, feeder in enumerate(graph.layers[name].inputs):
        inputs.append(np.full_like(expected[feeder], number, np.float32))
    output = official.replay(name, inputs)
    assert output.dtype == np.float64
    np.testing.assert_array_equal(output, np.concatenate(inputs, axis=-1))
    assert [int(array.max()) for array in inputs] == list(range(len(inputs)))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_layer_alone_needs_all_its_inputs(official: OfficialRun, count: int) -> None:
    with pytest.raises(ValueError, match="argument"):
        official.replay("cell_0.comb_iter_0.combine.add", [np.zeros((1, 8, 8, 2))] * count)


# Prints a digest of all that Mobile gives on one thread, behind a session that has as many as the argument says.
BEHIND = """
import hashlib, sys
import numpy as np
from tests.tf_reference.conftest import random_values
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.official import find
from tf_reference.run import OfficialRun

graph = reference_graph(find(), GraphSpec("mobile", 65, 65))
variables = random_values(graph)
with OfficialRun(graph, ["conv0"], threads=int(sys.argv[1])) as first:
    first.assign(variables)
with OfficialRun(graph, threads=1) as official:
    official.assign(variables)
    values = official.run(np.random.default_rng(0).uniform(-1, 1, (1, 65, 65, 3)))
print(hashlib.sha256(b"".join(value.tobytes() for value in values.values())).hexdigest())
"""


@pytest.mark.slow
def test_the_threads_of_an_earlier_session_change_no_bit() -> None:
    digests = {run(sys.executable, "-c", BEHIND, str(threads)) for threads in (1, 2, 4)}
    assert len(digests) == 1
    assert digests.pop()[0] == 0
