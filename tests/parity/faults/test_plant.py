"""Planting changes a copy, and the sound model not at all."""

import pytest
import torch
from torch import Tensor

from parity.faults import plant
from parity.faults.plant import part
from pnasnet_torch import PNASNet

IMAGES = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
BRANCH = "cell_0.comb_iter_0.left"


def features(model: PNASNet) -> Tensor:
    with torch.inference_mode():
        return model(IMAGES)


@pytest.fixture
def model(tiny: PNASNet) -> PNASNet:
    """A copy that faults may be planted in."""
    return plant.copied(tiny)


def test_a_copy_shares_weights_and_computes_the_same(tiny: PNASNet, model: PNASNet) -> None:
    assert torch.equal(features(tiny), features(model))
    pairs = zip(tiny.parameters(), model.parameters(), strict=True)
    assert all(one is not other and one.data_ptr() == other.data_ptr() for one, other in pairs)


def test_the_sound_model_stays_as_it_is(tiny: PNASNet, model: PNASNet) -> None:
    """Whatever is done to the copy: parameters, buffers, modules, wiring, training mode."""
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    expected = features(tiny)
    plant.change(model, "conv0", "weight", lambda weight: weight * 2)
    plant.exchange(model, ("cell_0.beginning_bn", "weight"), ("cell_0.beginning_bn", "bias"))
    plant.rewire(model, "cell_1", outputs=(6, 5, 4, 3, 2))
    part(model, "cell_2.beginning_bn").train()
    assert not torch.equal(features(model), expected)
    assert torch.equal(features(tiny), expected)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_a_change_before_a_layer_reaches_it(tiny: PNASNet, model: PNASNet) -> None:
    """And what is skipped is not run."""
    seen: list[Tensor] = []
    part(model, f"{BRANCH}.relu").register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    plant.before(model, f"{BRANCH}.relu", lambda x: x * 0)
    features(model)
    assert not seen.pop().any()
    other = plant.copied(tiny)
    part(other, f"{BRANCH}.relu").register_forward_hook(lambda *_: seen.append(IMAGES))
    plant.skip(other, f"{BRANCH}.relu")
    features(other)
    assert not seen


def test_a_change_behind_a_layer_is_its_output(model: PNASNet) -> None:
    seen: list[Tensor] = []
    plant.after(model, "conv0", lambda x: x * 0 + 7)
    part(model, "conv0").register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    features(model)
    assert (seen[0] == 7).all()


def test_rewiring_as_usual_changes_nothing(tiny: PNASNet, model: PNASNet) -> None:
    """So what a fault changes is what it says."""
    for name, _ in model.named_children():
        if name.startswith("cell_"):
            plant.rewire(model, name)
    assert torch.equal(features(tiny), features(model))


@pytest.mark.parametrize("function", [lambda x: x.flip(1), lambda x: x / 2 + 0.5])
def test_images_are_changed_on_the_way_in(tiny: PNASNet, model: PNASNet, function: plant.Change) -> None:
    plant.images(model, function)
    with torch.inference_mode():
        assert torch.equal(model(IMAGES), tiny(function(IMAGES)))
