"""A layer of the port alone, and which layer's output arrives where when it runs as a whole."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.candidate.capture import to_nchw
from parity.core.layers import layer_modules
from parity.diagnosis.replay import observe, replay
from parity.faults import plant
from pnasnet_torch import PNASNet, pnasnet_mobile
from tf_reference import official
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.layers import IMAGES

RELU, CONV, ADD = "cell_1.relu_1", "cell_1.1x1", "cell_1.comb_iter_0.combine.add"
Givers = dict[str, tuple[tuple[str, ...], ...]]


def test_in_a_sound_port_each_layer_gets_what_feeds_it_officially() -> None:
    """All 726 layers of Mobile, whose inputs TensorFlow's graph gives in the same order."""
    feeders = reference_graph(official.find(), GraphSpec("mobile", 64, 64)).feeders
    seen = observe(pnasnet_mobile().eval(), np.zeros((1, 64, 64, 3), np.float32))
    assert seen.givers == {layer: tuple((name,) for name in names) for layer, names in feeders.items()}
    assert len(seen.givers) == 726
    assert (seen.inputs, seen.outputs, seen.error) == ({}, {}, None)


def changed(model: PNASNet, images: np.ndarray, fault: Callable[[PNASNet], None]) -> Givers:
    """The inputs of layers that come from elsewhere once `fault` is planted."""
    sound = observe(model, images).givers
    fault(model)
    planted = observe(model, images).givers
    return {layer: givers for layer, givers in planted.items() if givers != sound[layer]}


STATE, SHARED = "cell_stem_1.cell_output.concat", "cell_0.relu_1"


def relu_in_place(model: PNASNet) -> None:
    """The next cell takes the same state."""
    plant.part(model, SHARED).inplace = True


def test_a_relu_in_place_on_a_shared_state_is_seen(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """What follows the ReLU, and the next cell too, get the state as the ReLU changed it."""
    both = ((STATE, SHARED),)
    assert changed(tiny, images_nhwc, relu_in_place) == {"cell_0.1x1": both, "cell_1.relu": both}


def test_a_value_changed_between_two_layers_is_no_layers(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Even where the values are the same."""
    assert changed(tiny, images_nhwc, lambda model: plant.before(model, CONV, torch.clone)) == {CONV: ((),)}


def test_what_follows_a_layer_that_is_skipped_gets_what_came_before_it(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    before = observe(tiny, images_nhwc).givers[RELU]
    assert changed(tiny, images_nhwc, lambda model: plant.skip(model, RELU)) == {CONV: before}
    assert RELU not in observe(tiny, images_nhwc).givers


def test_a_layer_that_gives_back_its_input_gives_it_too(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Both are named, the one that computed it first."""
    (before,) = observe(tiny, images_nhwc).givers[RELU]
    found = changed(tiny, images_nhwc, lambda model: plant.replace(model, RELU, lambda x: x))
    assert found[CONV] == ((*before, RELU),)


def test_inputs_that_are_exchanged_are_seen_in_their_order(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    (left,), (right,) = observe(tiny, images_nhwc).givers[ADD]
    combination = plant.part(tiny, ADD.removesuffix(".combine.add"))
    add = combination.combine["add"]
    combination.combine["add"] = nn.Module()
    combination.combine["add"].forward = lambda x, y: add(y, x)
    combination.combine["add"].inner = add
    assert observe(tiny, images_nhwc).givers[f"{ADD}.inner"] == ((right,), (left,))


def test_the_images_are_what_feeds_the_first_layer(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Unless something is done to them on the way."""
    assert observe(tiny, images_nhwc).givers["conv0"] == ((IMAGES,),)
    plant.images(tiny, lambda images: images.flip(1))
    assert observe(tiny, images_nhwc).givers["conv0"] == ((),)


def test_inputs_and_outputs_are_kept_of_those_asked_for(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """As they were when the layer ran, though a later one changes them in place."""
    relu_in_place(tiny)
    seen = observe(tiny, images_nhwc, ["conv0", SHARED], [STATE, SHARED])
    assert [*seen.inputs] == ["conv0", SHARED]
    assert [*seen.outputs] == [STATE, SHARED]
    np.testing.assert_array_equal(seen.inputs["conv0"][0], images_nhwc)
    np.testing.assert_array_equal(seen.inputs[SHARED][0], seen.outputs[STATE])
    assert seen.outputs[STATE].min() < 0 <= seen.outputs[SHARED].min()


def broken(*_: Tensor) -> Tensor:
    raise ValueError("planted")


def test_what_came_before_an_error_is_kept(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """The layer that raised it got its inputs; those behind it got nothing."""
    order = list(observe(tiny, images_nhwc).givers)
    plant.replace(tiny, CONV, broken)
    seen = observe(tiny, images_nhwc)
    assert list(seen.givers) == order[: order.index(CONV) + 1]
    assert seen.error
    assert seen.error.layer == CONV
    assert "ValueError: planted" in str(seen.error)


@pytest.mark.parametrize("layer", ["conv0", "conv0_bn", CONV, RELU, ADD, "final_layer.mean", "final_layer.FC"])
def test_a_replay_gives_what_the_layer_gave(tiny: PNASNet, images_nhwc: np.ndarray, layer: str) -> None:
    """The same bits, for maps and for vectors, from the inputs that arrived at it."""
    seen = observe(tiny, images_nhwc, [layer], [layer])
    np.testing.assert_array_equal(replay(tiny, layer, seen.inputs[layer]), seen.outputs[layer])


def test_a_replay_leaves_its_inputs_as_they_are(tiny: PNASNet) -> None:
    """Even of a layer that works in place, and in the model's dtype too."""
    relu_in_place(tiny)
    array = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32)
    given = array.copy()
    np.testing.assert_array_equal(replay(tiny, SHARED, [given]), np.maximum(array, 0))
    np.testing.assert_array_equal(given, array)


def test_a_replay_takes_the_dtype_of_the_model(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    assert replay(tiny.double(), "conv0", [images_nhwc]).dtype == np.float64


def test_whatever_a_replayed_layer_raises_is_raised(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    plant.replace(tiny, "conv0", broken)
    with pytest.raises(ValueError, match="planted"):
        replay(tiny, "conv0", [images_nhwc])
    with pytest.raises(KeyError, match="no_such_layer"):
        replay(tiny, "no_such_layer", [images_nhwc])


def test_nothing_is_left_in_the_model(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """No hook, and no change to what it computes."""
    images = to_nchw(images_nhwc, torch.float32)
    with torch.inference_mode():
        before = tiny.predict(images)
        observe(tiny, images_nhwc, layer_modules(tiny), layer_modules(tiny))
        assert torch.equal(tiny.predict(images), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.modules())
