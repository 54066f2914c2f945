"""TensorFlow variables to parameters and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pnasnet_torch import VARIANTS, Config, PNASNet, weights
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.targets import variable_targets
from pnasnet_torch.weights import load_tf_variables, tf_variables
from tests.pnasnet_torch.states import assert_state, snapshot

Variables = dict[str, np.ndarray]


@pytest.fixture
def variables(small_model: PNASNet) -> Variables:
    """Those of `small_model`, copied."""
    return {name: array.copy() for name, array in tf_variables(small_model).items()}


@pytest.mark.parametrize(
    ("parameter", "variable", "shape"),
    [
        ("conv0.weight", "conv0/weights", (3, 3, 3, 96)),
        ("conv0_bn.running_mean", "conv0_bn/moving_mean", (96,)),
        ("cell_0.1x1.weight", "cell_0/1x1/weights", (1, 1, 540, 216)),
        ("cell_0.beginning_bn.weight", "cell_0/beginning_bn/gamma", (216,)),
        ("cell_0.beginning_bn.bias", "cell_0/beginning_bn/beta", (216,)),
        ("cell_0.beginning_bn.running_var", "cell_0/beginning_bn/moving_variance", (216,)),
        (
            "cell_4.comb_iter_1.left.separable_7x7_1.depthwise.weight",
            "cell_4/comb_iter_1/left/separable_7x7_1/depthwise_weights",
            (7, 7, 432, 1),
        ),
        (
            "cell_stem_0.comb_iter_0.left.separable_5x5_1.pointwise.weight",
            "cell_stem_0/comb_iter_0/left/separable_5x5_1/pointwise_weights",
            (1, 1, 96, 54),
        ),
        ("aux_7.aux_logits.Conv.weight", "aux_7/aux_logits/Conv/weights", (6, 5, 128, 768)),
        ("aux_7.aux_logits.FC.bias", "aux_7/aux_logits/FC/biases", (1001,)),
        ("final_layer.FC.weight", "final_layer/FC/weights", (4320, 1001)),
    ],
)
def test_a_variables_name_and_shape_follow_from_its_parameter(
    parameter: str, variable: str, shape: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        model = PNASNet(Config(aux_image_size=(331, 290)))
    target = variable_targets(model)[variable]
    assert target.parameter == parameter
    parameters = model.state_dict()[parameter].shape
    assert parameters == tuple(shape[axis] for axis in target.axes)


def test_every_tensor_of_the_state_has_one_variable() -> None:
    with torch.device("meta"):
        model = PNASNet(Config(aux_image_size=(331, 331)))
    found = [target.parameter for target in variable_targets(model).values()]
    assert sorted(found) == sorted(model.state_dict())


def test_a_module_without_a_rule_is_refused() -> None:
    model = nn.Sequential(nn.LayerNorm(3))
    with pytest.raises(WeightsError, match=r"no rule gives the parameters of 0 \(LayerNorm\)"):
        variable_targets(model)


def test_axes_are_those_of_the_names() -> None:
    model = nn.ModuleDict({"conv": nn.Conv2d(2, 5, (3, 4), bias=False), "FC": nn.Linear(2, 5)})
    arrays = {"conv/weights": np.random.rand(3, 4, 2, 5), "FC/weights": np.random.rand(2, 5), "FC/biases": np.zeros(5)}
    load_tf_variables(model.double(), arrays)
    state = model.state_dict()
    for row, column, channel, filter_ in np.ndindex(3, 4, 2, 5):
        assert (
            state["conv.weight"][filter_, channel, row, column] == arrays["conv/weights"][row, column, channel, filter_]
        )
    assert np.array_equal(state["FC.weight"].numpy().T, arrays["FC/weights"])


def test_depthwise_axes() -> None:
    model = nn.ModuleDict({"sep": nn.ModuleDict({"depthwise": nn.Conv2d(6, 6, (3, 4), groups=6, bias=False)})})
    array = np.random.rand(3, 4, 6, 1)
    load_tf_variables(model.double(), {"sep/depthwise_weights": array})
    weight = model.state_dict()["sep.depthwise.weight"].numpy()
    for row, column, channel in np.ndindex(3, 4, 6):
        assert weight[channel, 0, row, column] == array[row, column, channel, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loading_and_writing_back_keeps_every_bit(other: PNASNet, variables: Variables, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    arrays = {name: rng.standard_normal(array.shape).astype(dtype) for name, array in variables.items()}
    load_tf_variables(other.to(torch.from_numpy(np.zeros(0, dtype)).dtype), arrays)
    back = tf_variables(other)
    assert back.keys() == arrays.keys()
    assert all(back[name].dtype == dtype and back[name].tobytes() == arrays[name].tobytes() for name in arrays)


def test_loaded_variables_give_the_same_network(
    other: PNASNet, small_model: PNASNet, variables: Variables, images: Tensor
) -> None:
    load_tf_variables(other, variables)
    assert torch.equal(other(images), small_model(images))


def test_a_network_from_variables_is_in_evaluation_mode(
    small: Config, small_model: PNASNet, variables: Variables
) -> None:
    model = weights.from_tf_variables(small, variables)
    assert not model.training
    assert_state(model, snapshot(small_model))


def test_the_global_step_is_tolerated(other: PNASNet, small_model: PNASNet, variables: Variables) -> None:
    load_tf_variables(other, {**variables, "global_step": np.array(7, np.int64)})
    assert_state(other, snapshot(small_model))


FC, BN = "final_layer/FC/weights", "conv0_bn/gamma"


def remove(arrays: Variables) -> None:
    del arrays[FC]


def add(arrays: Variables) -> None:
    arrays["cell_9/1x1/weights"] = np.zeros((1, 1, 2, 3), np.float32)


def transpose(arrays: Variables) -> None:
    arrays[FC] = arrays[FC].T


def spoil(arrays: Variables) -> None:
    arrays[FC][3, 1] = np.nan


def overflow(arrays: Variables) -> None:
    arrays[BN][2] = np.inf


def truncate_to_integers(arrays: Variables) -> None:
    arrays[BN] = arrays[BN].astype(np.int32)


FAULTS: list[tuple[Callable[[Variables], None], str]] = [
    (remove, r"missing: final_layer/FC/weights \(160, 7\)"),
    (add, r"left over: cell_9/1x1/weights \(1, 1, 2, 3\)"),
    (transpose, r"wrong shape: final_layer/FC/weights: expected \(160, 7\), found \(7, 160\)"),
    (spoil, r"not finite: final_layer/FC/weights: nan at \(3, 1\)"),
    (overflow, r"not finite: conv0_bn/gamma: inf at \(2,\)"),
    (truncate_to_integers, r"wrong type: conv0_bn/gamma: expected floating point, found int32"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_variables_that_do_not_fit_change_nothing(
    other: PNASNet, variables: Variables, fault: Callable[[Variables], None], message: str
) -> None:
    before = snapshot(other)
    fault(variables)
    with pytest.raises(WeightsError, match=message):
        load_tf_variables(other, variables)
    assert_state(other, before)


def test_one_error_lists_everything(other: PNASNet, variables: Variables) -> None:
    for fault in (remove, add, truncate_to_integers):
        fault(variables)
    variables["cell_0/1x1/weights"] = np.zeros(3, np.float32)
    with pytest.raises(WeightsError) as caught:
        load_tf_variables(other, variables)
    message = str(caught.value)
    assert "4 problems" in message
    assert all(kind in message for kind in ("missing:", "left over:", "wrong type:", "wrong shape:"))


@pytest.mark.parametrize("name", VARIANTS)
def test_the_variant_is_told_by_the_first_convolution(name: str) -> None:
    filters = {"large": 96, "mobile": 32}[name]
    assert weights.variant_of({"conv0/weights": (3, 3, 3, filters)}) == name


@pytest.mark.parametrize("shapes", [{}, {"conv0/weights": (3, 3, 3, 64)}, {"conv0/weights": (96, 3, 3, 3)}], ids=str)
def test_other_networks_have_no_variant(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(WeightsError, match=r"not the weights of PNASNet-5 large or mobile: conv0/weights is"):
        weights.variant_of(shapes)
