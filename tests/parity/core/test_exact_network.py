"""The integer network: it stays exact, and everything in it matters to some layer's digest."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.core import integers
from parity.core.layers import layer_modules
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.operations import SameConv2d
from pnasnet_torch.targets import variable_shapes
from pnasnet_torch.weights import from_tf_variables

BITS = {"float32": 24, "float64": 53}
Inputs = dict[str, tuple[Tensor, ...]]


def exact_port(name: str, dtype: str, area: int = 49, seed: int = 0) -> PNASNet:
    config = variant(name).config
    with torch.device("meta"):
        shapes = variable_shapes(PNASNet(config))
    variables = integers.ExactVariables(shapes, dtype, area, seed)
    return from_tf_variables(config, variables, getattr(torch, dtype))


def run(model: PNASNet, size: int, dtype: str) -> tuple[Inputs, dict[str, Tensor]]:
    """What enters and what leaves each layer."""
    inputs: Inputs = {}
    outputs: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
            inputs[name], outputs[name] = arguments, output

        return hook

    handles = [module.register_forward_hook(hook_for(name)) for name, module in layer_modules(model).items()]
    images = torch.from_numpy(integers.exact_images(size, size, dtype, 0)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        model.predict(images)
    for handle in handles:
        handle.remove()
    return inputs, outputs


@pytest.fixture(scope="module", params=["float32", "float64"])
def mobile(request: pytest.FixtureRequest) -> tuple[PNASNet, Inputs, dict[str, Tensor]]:
    """Mobile at 224 pixels with integer weights."""
    model = exact_port("mobile", request.param)
    return model, *run(model, 224, request.param)


def digest(tensor: Tensor) -> str:
    return integers.digest(tensor.numpy())


def test_every_value_is_an_integer_that_the_format_holds(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """Up to the mean, nothing is rounded, and the mean's sums leave room."""
    _, inputs, outputs = mobile
    bits = BITS[str(inputs["conv0"][0].dtype).removeprefix("torch.")]
    for name, output in outputs.items():
        if not name.startswith("final_layer"):
            assert torch.equal(output, output.round()), name
            assert output.abs().max() < 2.0**bits, name
    sums = inputs["final_layer.mean"][0].sum(dim=(2, 3), dtype=torch.float64)
    assert sums.abs().max() < 2.0**bits


@pytest.mark.slow
def test_large_uses_the_format_up() -> None:
    """Large at 331 in float64: the mean's sums come within 3 bits of the limit, so no denser network is exact."""
    inputs, _ = run(exact_port("large", "float64", area=121), 331, "float64")
    assert 2.0**50 < inputs["final_layer.mean"][0].sum(dim=(2, 3)).abs().max() < 2.0**53


def test_no_channel_is_dead(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """In float64 every channel of every layer varies; the sparser float32 network loses few."""
    _, inputs, outputs = mobile
    maps = {name: output for name, output in outputs.items() if output.ndim == 4}
    dead = sum(int((m.amax(dim=(0, 2, 3)) == m.amin(dim=(0, 2, 3))).sum()) for m in maps.values())
    channels = sum(m.shape[1] for m in maps.values())
    assert dead <= (0 if inputs["conv0"][0].dtype == torch.float64 else channels // 50)


@pytest.mark.parametrize("mobile", ["float32", pytest.param("float64", marks=pytest.mark.slow)], indirect=True)
def test_every_kernel_position_matters(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """Without the weights at any one position of any kernel, the layer's digest is another."""
    model, inputs, outputs = mobile
    for name, module in layer_modules(model).items():
        if isinstance(module, nn.Conv2d):
            before = digest(outputs[name])
            for row, column in np.ndindex(module.kernel_size):
                assert module.weight[:, :, row, column].any(), f"{name}: no weight at {row}, {column}"
                assert without(module, inputs[name][0], row, column) != before, f"{name} at {row}, {column}"


def without(module: nn.Conv2d, x: Tensor, row: int, column: int) -> str:
    kept = module.weight.data.clone()
    module.weight.data[:, :, row, column] = 0
    with torch.inference_mode():
        result = digest(module(x))
    module.weight.data = kept
    return result


def test_every_input_channel_is_read(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """Each convolution has a weight for each of its input channels, so both paths of a reduction matter throughout."""
    model, _, _ = mobile
    for name, module in layer_modules(model).items():
        if isinstance(module, nn.Conv2d):
            dims = (1, 2, 3) if module.groups > 1 else (0, 2, 3)
            assert module.weight.abs().sum(dim=dims).all(), name


@pytest.mark.parametrize("statistic", ["weight", "bias", "running_mean", "running_var"])
def test_every_batch_norm_statistic_matters(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]], statistic: str) -> None:
    """One unit more in any one channel of any batch norm changes that channel."""
    model, inputs, outputs = mobile
    for name, module in layer_modules(model).items():
        if isinstance(module, nn.BatchNorm2d):
            values = getattr(module, statistic).data
            kept = values.clone()
            values += 1
            with torch.inference_mode():
                changed = module(inputs[name][0]) != outputs[name]
            values.copy_(kept)
            alive = outputs[name].amax(dim=(0, 2, 3)) != outputs[name].amin(dim=(0, 2, 3))
            assert changed.any(dim=3).any(dim=2).any(dim=0)[alive].all(), name


def test_a_batch_norm_folded_in_float64_is_exact(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """Scale and offset are 1 or -1 and an integer, rounded once, though float64 adds epsilon otherwise than float32."""
    model, _, _ = mobile
    for name, module in layer_modules(model).items():
        if isinstance(module, nn.BatchNorm2d):
            variance = module.get_buffer("running_var").double() + module.eps
            scale = module.weight.double() / variance.sqrt()
            offset = module.bias.double() - module.get_buffer("running_mean").double() * scale
            scale, offset = scale.to(module.weight.dtype), offset.to(module.weight.dtype)
            assert torch.equal(scale.abs(), torch.ones_like(scale)), name
            assert torch.equal(offset, offset.round()), name


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 0), (0, -1)], ids=["down", "right", "up", "left"])
def test_every_padding_side_matters(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]], shift: tuple[int, int]) -> None:
    """An input shifted by a pixel, as another padding would do, changes every convolution over space."""
    model, inputs, outputs = mobile
    for name, module in layer_modules(model).items():
        if isinstance(module, SameConv2d) and module.kernel_size[0] > 1:
            with torch.inference_mode():
                shifted = module(inputs[name][0].roll(shift, dims=(2, 3)))
            assert digest(shifted) != digest(outputs[name]), name


def test_a_relu_anywhere_matters(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """What no ReLU rectifies in the network is negative somewhere: in front of a pool, behind it, and elsewhere."""
    model, _inputs, outputs = mobile
    for name, module in layer_modules(model).items():
        rectified = name.endswith(("relu", "relu_1", "avg_pool", "avg_pool_1", "mean", "predictions"))
        if not isinstance(module, nn.ReLU) and not rectified:
            assert outputs[name].min() < 0, name


def test_the_order_of_inputs_matters(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """No two parts of a concatenation, and no two paths of a reduction, are the same."""
    model, inputs, outputs = mobile
    for name, module in layer_modules(model).items():
        if name.endswith("concat"):
            parts = list(inputs[name])
            with torch.inference_mode():
                assert digest(module(*parts[1:], parts[0])) != digest(outputs[name]), name


def test_softmax_is_exact(mobile: tuple[PNASNet, Inputs, dict[str, Tensor]]) -> None:
    """The logits lie so far apart that each prediction is 0 or the reciprocal of a whole number."""
    _, _, outputs = mobile
    values = np.unique(outputs["final_layer.predictions"].numpy())
    assert values[0] == 0
    assert all(1 / value == round(1 / float(value)) for value in values[1:])
