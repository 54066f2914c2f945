"""The networks: sizes, shapes, modes and what a forward leaves behind."""

import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pnasnet_torch import Config, PNASNet, TrainingOutputs, pnasnet_large, pnasnet_mobile

AUX_SIZE = (67, 131)


@pytest.fixture
def aux_config(small: Config) -> Config:
    return replace(small, num_cells=6, aux_image_size=AUX_SIZE)


def forward_on_meta(model: PNASNet, height: int, width: int) -> Tensor:
    result = model.eval()(torch.empty(2, 3, height, width, device="meta"))
    assert isinstance(result, Tensor)
    return result


@pytest.mark.parametrize(
    ("make", "values", "tensors"),
    [
        pytest.param(pnasnet_large, 86_238_977, 1_179, id="large"),
        pytest.param(pnasnet_mobile, 5_099_232, 933, id="mobile"),
    ],
)
def test_state_is_as_large_as_the_official_checkpoint(make: Any, values: int, tensors: int) -> None:
    with torch.device("meta"):
        state = make().state_dict()
    assert len(state) == tensors
    assert sum(tensor.numel() for tensor in state.values()) == values


@pytest.mark.parametrize("size", [(331, 331), (323, 323), (224, 224), (300, 480), (3, 19)], ids=str)
@pytest.mark.parametrize("make", [pnasnet_large, pnasnet_mobile])
def test_logits_at_any_size(make: Any, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        assert forward_on_meta(make(), *size).shape == (2, 1001)


@pytest.mark.parametrize(
    ("cell", "shape"),
    [
        ("cell_stem_0", (270, 83, 83)),
        ("cell_stem_1", (540, 42, 42)),
        ("cell_3", (1080, 42, 42)),
        ("cell_4", (2160, 21, 21)),
        ("cell_8", (4320, 11, 11)),
        ("cell_11", (4320, 11, 11)),
    ],
)
def test_maps_of_large_at_331(cell: str, shape: tuple[int, int, int]) -> None:
    seen = []
    with torch.device("meta"):
        model = pnasnet_large()
    model.get_submodule(cell).register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1:]))
    forward_on_meta(model, 331, 331)
    assert seen == [shape]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param((3, 64, 64), r"expected images \(N, 3, H, W\), found \(3, 64, 64\)", id="no-batch"),
        pytest.param((1, 4, 64, 64), r"expected images \(N, 3, H, W\), found \(1, 4, 64, 64\)", id="four-channels"),
        pytest.param((1, 64, 64, 3), r"expected images \(N, 3, H, W\), found \(1, 64, 64, 3\)", id="channels-behind"),
        pytest.param((1, 3, 64, 18), r"images of 64x18 pixels are too small: .* at least 3x19", id="too-narrow"),
        pytest.param((1, 3, 2, 64), r"images of 2x64 pixels are too small: .* at least 3x19", id="too-low"),
    ],
)
def test_images_of_another_form_are_refused(small: Config, shape: tuple[int, ...], message: str) -> None:
    model = PNASNet(replace(small, num_cells=4)).eval()
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape))


def test_training_with_the_auxiliary_head_gives_two_times_logits(aux_config: Config) -> None:
    outputs = PNASNet(aux_config).train()(torch.rand(2, 3, *AUX_SIZE))
    assert isinstance(outputs, TrainingOutputs)
    assert outputs.logits.shape == outputs.aux_logits.shape == (2, 7)


def test_the_auxiliary_head_does_not_run_in_evaluation(aux_config: Config, images: Tensor) -> None:
    with_head = PNASNet(aux_config).eval()
    without = PNASNet(replace(aux_config, aux_image_size=None)).eval()
    state = {name: tensor for name, tensor in with_head.state_dict().items() if not name.startswith("aux_")}
    without.load_state_dict(state, strict=True)
    assert torch.equal(with_head(images), without(images))


def test_training_without_the_auxiliary_head_gives_logits(small: Config, images: Tensor) -> None:
    assert PNASNet(small).train()(images).shape == (2, 7)


def test_without_classes_the_network_gives_pooled_features(small: Config, images: Tensor) -> None:
    model = PNASNet(replace(small, num_classes=0)).eval()
    assert model(images).shape == (2, model.cell_plans[-1][0].out.channels)
    assert not any(name.startswith("final_layer") for name in model.state_dict())


def test_probabilities_are_the_softmax_of_the_logits(small_model: PNASNet, images: Tensor) -> None:
    torch.testing.assert_close(small_model.predict(images), small_model(images).softmax(1), rtol=0, atol=0)


def test_double_precision_differs_by_rounding_alone(small_model: PNASNet, images: Tensor) -> None:
    single = small_model(images)
    double = small_model.double()(images.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-3, atol=1e-3)
    assert not torch.equal(double, double.float().double())


def test_memory_format_changes_nothing_but_rounding(small_model: PNASNet, images: Tensor) -> None:
    model, images = small_model.double(), images.double()
    expected = model(images)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = model(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_examples_do_not_mix(small_model: PNASNet, images: Tensor) -> None:
    model, images = small_model.double(), images.double()
    torch.testing.assert_close(model(images)[:1], model(images[:1]), rtol=1e-11, atol=1e-11)


def test_export_gives_the_same(small_model: PNASNet, images: Tensor) -> None:
    program = torch.export.export(small_model, (images,))
    torch.testing.assert_close(program.module()(images), small_model(images))


@pytest.fixture
def shallow_model(small: Config) -> PNASNet:
    """Both stem cells and one reduction."""
    return PNASNet(replace(small, num_cells=1, num_reduction_layers=1)).eval()


def test_compiled_as_one_graph_gives_the_same(shallow_model: PNASNet, images: Tensor) -> None:
    compiled = torch.compile(shallow_model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), shallow_model(images))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor_gives_the_same_for_a_cell(small_model: PNASNet) -> None:
    cell = small_model.get_submodule("cell_stem_1")
    net, prev = torch.randn(2, 10, 15, 16), torch.randn(2, 8, 30, 31)
    torch.testing.assert_close(torch.compile(cell, fullgraph=True)(net, prev), cell(net, prev), rtol=1e-4, atol=1e-4)


def python_state(model: nn.Module) -> dict[str, Any]:
    """Every attribute of every module; tensors and modules by identity."""
    return {
        path: {name: frozen(value) for name, value in vars(module).items()} for path, module in model.named_modules()
    }


def frozen(value: object) -> object:
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [frozen(item) for item in value]
    return id(value) if isinstance(value, Tensor | nn.Module) else value


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_a_forward_changes_no_python_state(aux_config: Config, training: bool) -> None:
    model = PNASNet(aux_config).train(training)
    before = python_state(model)
    model(torch.rand(2, 3, *AUX_SIZE), 5)
    assert python_state(model) == before


def test_a_second_forward_is_identical(small_model: PNASNet, images: Tensor) -> None:
    state = {name: tensor.clone() for name, tensor in small_model.state_dict().items()}
    assert torch.equal(small_model(images), small_model(images))
    assert all(torch.equal(tensor, state[name]) for name, tensor in small_model.state_dict().items())


def test_gradients_reach_every_parameter(aux_config: Config) -> None:
    model = PNASNet(replace(aux_config, drop_path_keep_prob=1.0, dense_dropout_keep_prob=1.0)).train()
    outputs = model(torch.rand(4, 3, *AUX_SIZE) * 2 - 1)
    weights = torch.arange(1.0, 8)
    (outputs.logits * weights + outputs.aux_logits * weights).square().sum().backward()
    without = [name for name, tensor in model.named_parameters() if tensor.grad is None or not tensor.grad.any()]
    assert without == []


def test_the_step_reaches_every_drop_path(small: Config, images: Tensor) -> None:
    model = PNASNet(replace(small, drop_path_keep_prob=0.01, dense_dropout_keep_prob=1.0)).train()
    assert torch.equal(model(images, 0), model(images, 0))
    assert not torch.equal(model(images, 250_000), model(images, 250_000))


def test_drop_path_spares_none_and_uses_the_cells_own_depth(small: Config, images: Tensor) -> None:
    model = PNASNet(small)
    for depth, (plan, _) in enumerate(model.cell_plans):
        for number in range(5):
            combination = model.get_submodule(f"{plan.scope}.comb_iter_{number}")
            drop_path: Any = combination.drop_path
            assert [*drop_path] == ["left", "right"][: 1 + (number != 4)]
            assert all(
                module.final_keep_prob == pytest.approx(1 - (depth + 1) / 5 * 0.4) for module in drop_path.values()
            )


def test_state_dict_round_trip(small: Config, small_model: PNASNet, images: Tensor) -> None:
    other = PNASNet(small).eval()
    assert not torch.equal(other(images), small_model(images))
    plain = {name: tensor.clone() for name, tensor in small_model.state_dict().items()}
    other.load_state_dict(plain, strict=True)
    assert torch.equal(other(images), small_model(images))


def test_predict_without_classes_is_refused(small: Config, images: Tensor) -> None:
    with pytest.raises(ValueError, match="classes"):
        PNASNet(replace(small, num_classes=0)).eval().predict(images)


def test_predict_in_training_with_an_auxiliary_head_is_refused(aux_config: Config) -> None:
    model = PNASNet(aux_config).train()
    with pytest.raises(ValueError, match=r"eval\(\)"):
        model.predict(torch.rand(2, 3, *AUX_SIZE))


@pytest.mark.parametrize("size", [(224, 224), (64, 64)], ids=["larger", "smaller"])
def test_training_at_a_size_that_the_auxiliary_head_does_not_fit_is_refused(
    aux_config: Config, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
        PNASNet(aux_config).train()(torch.rand(2, 3, *size))
