"""The inference form: the same values under the same names, and a network of its own."""

import copy
import pickle
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch import Config, PNASNet, variant
from pnasnet_torch.cell import Scope
from pnasnet_torch.inference import inference_form
from pnasnet_torch.operations import BatchNorm, RandomOperation, SameConv2d
from pnasnet_torch.packed import PackedConv2d
from pnasnet_torch.padding import pad_same

RELEASED = (("mobile", (97, 97)), ("large", (43, 36)))
# What has a batch norm behind it.
FOLDED = re.compile(r"conv0|.*(\.pointwise|1x1)")


def layers(model: PNASNet, images: Tensor) -> dict[str, Tensor]:
    """Every layer's output, by name. Each runs once."""
    model, found = copy.deepcopy(model), {}

    def keep(name: str, output: Tensor) -> None:
        assert name not in found, name
        found[name] = output.clone()

    for name, module in model.named_modules():
        if not any(module.children()) and not isinstance(module, RandomOperation | Scope):
            module.register_forward_hook(lambda _m, _x, output, name=name: keep(name, output))
    with torch.inference_mode():
        model.predict(images) if model.config.num_classes else model(images)
    return found


def assert_same(model: PNASNet, form: PNASNet, images: Tensor, tolerance: float) -> None:
    """Every layer that `form` has under an official name is that of `model` but for `tolerance` as relative L2."""
    expected, found = layers(model, images), layers(form, images)
    for name in found:  # a ReLU may leave nothing of a small map
        assert (found[name] - expected[name]).norm() <= tolerance * expected[name].norm(), name


@pytest.mark.parametrize(
    "size", [(35, 50), (3, 19), *(pytest.param(size, marks=pytest.mark.slow) for size in ((64, 64), (83, 19)))], ids=str
)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as-released"),
        pytest.param({"num_conv_filters": 13}, id="odd-filters"),
        pytest.param({"use_bounded_activation": True}, id="bounded"),
        pytest.param({"num_cells": 1}, id="reductions-in-the-first-cell"),
        pytest.param({"stem_multiplier": 0.0625, "num_cells": 2}, id="stem-as-wide-as-its-cell"),
        pytest.param({"num_cells": 5, "skip_reduction_layer_input": False}, id="no-skip"),
        pytest.param(
            {"num_cells": 6, "num_conv_filters": 25, "filter_scaling_rate": 5.0}, id="an-output-that-is-read-as-it-is"
        ),
        pytest.param({"num_classes": 0}, id="no-classes"),
        pytest.param({"num_cells": 6, "aux_image_size": (67, 131)}, id="auxiliary-head"),
    ],
)
def test_every_layer_in_double_precision(
    small: Config, changes: dict[str, Any], size: tuple[int, int], randomise: Any
) -> None:
    model = randomise(PNASNet(replace(small, **changes)).double())
    assert_same(model, inference_form(model), torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1, 1e-12)


@pytest.mark.parametrize(
    ("name", "size"),
    [("mobile", (64, 96)), *(pytest.param(*row, marks=pytest.mark.slow) for row in RELEASED)],
    ids=str,
)
def test_the_released_networks(name: str, size: tuple[int, int], randomise: Any) -> None:
    model = randomise(PNASNet(variant(name).config).double())
    assert_same(model, inference_form(model), torch.rand(1, 3, *size, dtype=torch.float64) * 2 - 1, 1e-12)


def test_single_precision_differs_by_rounding_alone(small_model: PNASNet, images: Tensor) -> None:
    """Packed weights are those of the first size, then those of another, then those of the first again."""
    form = inference_form(small_model)
    for batch in (images, images[:1, :, :51], images):
        assert_same(small_model, form, batch, 1e-5)
        assert isinstance(form.conv0_bn, nn.Conv2d)


def test_what_is_gone_is_folded(small_model: PNASNet, images: Tensor) -> None:
    gone = layers(small_model, images).keys() - layers(inference_form(small_model), images).keys()
    assert [name for name in gone if not FOLDED.fullmatch(name)] == []
    batch_norms = sum(isinstance(module, BatchNorm) for module in small_model.modules())
    # The batch norm of a factorized reduction is behind a concatenation.
    assert len(gone) == batch_norms - sum(plan.reduces_prev for plan, _ in small_model.cell_plans)


def test_the_model_stays_as_it_is_and_shares_nothing(small_model: PNASNet, images: Tensor) -> None:
    state = copy.deepcopy(small_model.state_dict())
    modules = list(small_model.modules())
    form = inference_form(small_model)
    expected = form(images)
    assert not {id(module) for module in modules} & {id(module) for module in form.modules()}
    with torch.no_grad():
        for name, tensor in small_model.state_dict().items():
            assert torch.equal(tensor, state[name])
            tensor.zero_()
    assert torch.equal(form(images), expected)


@pytest.mark.parametrize("forgotten", ["eps", "running_mean", "weight", "bias"])
@pytest.mark.parametrize("folded", ["comb_iter_2.left.bn_sep_5x5_1", "beginning_bn"])
def test_a_fault_in_folding_is_found(small_model: PNASNet, images: Tensor, folded: str, forgotten: str) -> None:
    model, planted = small_model.double(), copy.deepcopy(small_model).double()
    bn = planted.get_submodule(f"cell_1.{folded}")
    if forgotten == "eps":
        bn.eps = 0.0  # type: ignore[assignment]
    else:
        getattr(bn, forgotten).data.fill_(forgotten == "weight")
    with pytest.raises(AssertionError, match=f"cell_1.{folded}"):
        assert_same(model, inference_form(planted), images.double(), 1e-12)


def test_training_mode_is_refused(small_model: PNASNet) -> None:
    with pytest.raises(ValueError, match=r"eval\(\)"):
        inference_form(small_model.train())


def test_gradients_at_the_pixels(small_model: PNASNet, images: Tensor) -> None:
    """PyTorch's own convolutions give them, before and after packed ones ran."""
    form, pixels = inference_form(small_model), [images.clone().requires_grad_() for _ in range(2)]
    form(images)
    for network, x in zip((small_model, form), pixels, strict=True):
        network(x).square().sum().backward()
    expected, found = (x.grad for x in pixels)
    assert expected is not None
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.fixture
def packed() -> PackedConv2d:
    conv = SameConv2d(8, 8, 5, 2, groups=8)
    return PackedConv2d(conv, conv.weight.detach().clone(), torch.rand(8)).requires_grad_(False)


def plain(conv: PackedConv2d, x: Tensor) -> Tensor:
    return F.conv2d(*pad_same(x, 5, 2)[:1], conv.weight, conv.bias, 2, pad_same(x, 5, 2)[1], groups=8)


def test_packed_weights_follow_the_weights_and_the_size(packed: PackedConv2d) -> None:
    """However they change: in place, replaced, or in another dtype."""
    for size in ((9, 9), (8, 12), (9, 9)):
        x = torch.rand(1, 8, *size).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(packed(x), plain(packed, x))
        packed.weight.mul_(2)
        torch.testing.assert_close(packed(x), plain(packed, x))
        packed.load_state_dict({"weight": -packed.weight, "bias": torch.rand(8)}, assign=True)
        torch.testing.assert_close(packed(x), plain(packed, x))
    assert packed.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_is_one_of_its_own(packed: PackedConv2d, copied: Any) -> None:
    x = torch.rand(1, 8, 9, 9)
    expected = packed(x)
    other = copied(packed)
    packed.weight.zero_()
    assert torch.equal(other(x), expected)
