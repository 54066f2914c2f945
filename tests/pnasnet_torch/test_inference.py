"""The inference form: the same values under the same names, and a network of its own."""

import copy
import pickle
import re
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pnasnet_torch import Config, PNASNet, variant
from pnasnet_torch.cell import Scope
from pnasnet_torch.inference import CeilMaxPool2d, InferenceCell, inference_form
from pnasnet_torch.operations import BatchNorm, RandomOperation, SameConv2d, SameMaxPool2d
from pnasnet_torch.packed import PackedConv2d
from pnasnet_torch.padding import pad_same

SIDES = st.integers(1, 9)
RELEASED = (("mobile", (97, 97)), ("large", (43, 36)))
# What is folded into the layer behind it, a batch norm where that is a ReLU or a sum; what ends in a sum with its ReLU,
# which no official layer is; and what an operation on a state begins with, where another begins alike.
BATCH_NORM = re.compile(r".*\.(left|right)\.bn_sep_\dx\d_1|.*\.left\.bn_sep_\dx\d_2")
FOLDED = re.compile(r"conv0|.*(\.pointwise|1x1|path[12]_conv)|cell_\w+\.concat")
SUMMED = re.compile(r".*\.(combine\.add|cell_output\.concat)")
UNOFFICIAL = re.compile(r".*\.(path[12]_bn|combine)")
SHARED = re.compile(r".*\.(left|right)\.(relu6?|max_pool)")


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
    for name in (name for name in found if not UNOFFICIAL.fullmatch(name)):  # a ReLU may leave nothing of a small map
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


def test_what_is_gone_is_folded_or_shared(small_model: PNASNet, images: Tensor) -> None:
    """In each cell the ReLUs on `prev` are one, those on `net` are one, and so are two of its three max-pools."""
    gone = layers(small_model, images).keys() - layers(inference_form(small_model), images).keys()
    known = (FOLDED, BATCH_NORM, SUMMED, SHARED)
    assert [name for name in gone if not any(pattern.fullmatch(name) for pattern in known)] == []
    plans = [plan for plan, _ in small_model.cell_plans]
    batch_norms = sum(isinstance(module, BatchNorm) for module in small_model.modules())
    # A factorized reduction has two convolutions and a concatenation for its one batch norm.
    expected = batch_norms + 2 * sum(plan.reduces_prev for plan in plans)
    assert sum(bool(FOLDED.fullmatch(name)) for name in gone) == expected
    halves = [name for name, _ in small_model.named_modules() if BATCH_NORM.fullmatch(name)]
    assert sorted(filter(BATCH_NORM.fullmatch, gone)) == sorted(halves)
    assert sum(bool(SUMMED.fullmatch(name)) for name in gone) == 6 * len(plans)
    # One more where the stride is 2, and in the first cell, where both inputs are one.
    assert sum(bool(SHARED.fullmatch(name)) for name in gone) == 1 + sum(4 + (plan.stride == 2) for plan in plans)


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
@pytest.mark.parametrize(
    ("folded", "seen"),
    [
        ("comb_iter_2.left.bn_sep_5x5_1", "comb_iter_2.left.relu_1"),
        ("comb_iter_2.left.bn_sep_5x5_2", "comb_iter_3.left.relu"),
    ],
)
def test_a_fault_in_folding_is_found(
    small_model: PNASNet, images: Tensor, folded: str, seen: str, forgotten: str
) -> None:
    """In the first layer that shows what the batch norm gives."""
    model, planted = small_model.double(), copy.deepcopy(small_model).double()
    bn = planted.get_submodule(f"cell_1.{folded}")
    if forgotten == "eps":
        bn.eps = 0.0  # type: ignore[assignment]
    else:
        getattr(bn, forgotten).data.fill_(forgotten == "weight")
    with pytest.raises(AssertionError, match=f"cell_1.{seen}"):
        assert_same(model, inference_form(planted), images.double(), 1e-12)


def test_a_sum_without_its_relu_is_found(small_model: PNASNet, images: Tensor) -> None:
    form = inference_form(small_model.double())
    form.get_submodule("cell_0.comb_iter_1.combine").relu = False  # type: ignore[assignment]
    with pytest.raises(AssertionError, match=r"cell_1\.relu"):
        assert_same(small_model, form, images.double(), 1e-12)


def test_a_fault_in_sharing_is_found(small_model: PNASNet, images: Tensor) -> None:
    """One combination takes what another one, on another state, begins with."""
    form = inference_form(small_model.double())
    cell = form.cell_1
    assert isinstance(cell, InferenceCell)
    one, other = (cell.get_submodule(f"comb_iter_{number}.left.relu") for number in (1, 0))
    (taken,) = (step.reads for step in cell.steps if step.module is other)
    kept = [step._replace(spent=()) for step in cell.steps]
    cell.steps = tuple(step._replace(reads=taken) if step.module is one else step for step in kept)
    with pytest.raises(AssertionError, match=r"comb_iter_1\.left"):
        assert_same(small_model, form, images.double(), 1e-12)


def test_maps_are_given_up_when_nothing_reads_them_any_more(small_model: PNASNet, images: Tensor) -> None:
    form = inference_form(small_model)
    cell = form.cell_0
    assert isinstance(cell, InferenceCell)
    made: list[weakref.ref[Tensor]] = []
    living = []
    for module in {step.module for step in cell.steps if not isinstance(step.module, nn.Identity)}:
        module.register_forward_hook(lambda _module, _inputs, output: made.append(weakref.ref(output)))
    last = cell.steps[-1].module
    last.register_forward_hook(lambda *_: living.append(sum(map_() is not None for map_ in made)))
    with torch.inference_mode():
        form(images)
    # Behind the last sum: the five that are the output, and the two that this one adds up.
    assert living == [len(cell.outputs) + 2]


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


@given(SIDES, SIDES, st.sampled_from([1, 2]))
def test_ceil_max_pool_is_same_max_pool(height: int, width: int, stride: int) -> None:
    x = torch.rand(1, 2, height, width) - 2
    assert torch.equal(CeilMaxPool2d(3, stride)(x), SameMaxPool2d(3, stride)(x))


@pytest.fixture
def packed() -> PackedConv2d:
    conv = SameConv2d(8, 8, 5, 2, groups=8)
    return PackedConv2d(conv, conv.weight.detach().clone(), torch.rand(8)).requires_grad_(False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("adds", [False, True])
def test_with_a_relu(packed: PackedConv2d, dtype: torch.dtype, adds: bool) -> None:
    """Behind what is added; where nothing reads the ReLU, without it."""
    x = torch.rand(1, 8, 9, 9, dtype=dtype) - 0.5
    total = packed.to(dtype)(x)
    added = torch.randn_like(total) if adds else None
    total = total if added is None else total + added
    torch.testing.assert_close(packed(x, added), total)
    packed.relu = True
    assert total.min() < 0 < total.max()
    torch.testing.assert_close(packed(x, added), F.relu(total))


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
