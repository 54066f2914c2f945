"""The port's layers come out one at a time, and nothing is kept or left behind."""

import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, capture, dtype_of, run, to_nchw, to_nhwc
from parity.core.layers import layer_modules
from pnasnet_torch import PNASNet


def runs(model: PNASNet) -> Counter[str]:
    """Return a count of how often each layer runs, kept by hooks."""
    counts: Counter[str] = Counter()
    for name, module in layer_modules(model).items():
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: counts.update([name]))
    return counts


def hooks(model: PNASNet) -> int:
    """Return how many hooks there are on all modules of the model."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def collect(model: PNASNet, images_nhwc: np.ndarray, layers: list[str]) -> dict[str, np.ndarray]:
    """Return copies of the outputs (NHWC) of `layers`, as far as they are reported."""
    outputs: dict[str, np.ndarray] = {}

    def report(name: str, array: np.ndarray) -> None:
        outputs[name] = array.copy()

    capture(model, images_nhwc, layers, report)
    return outputs


def test_every_layer_is_reported_once(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    counts: Counter[str] = Counter()
    capture(tiny, images_nhwc, layer_modules(tiny), lambda name, _: counts.update([name]))
    assert counts == Counter(dict.fromkeys(layer_modules(tiny), 1))


def test_maps_arrive_in_nhwc(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Contiguous, in the model's dtype: (N, H, W, C), and (N, C) where there is no map."""
    outputs: dict[str, np.ndarray] = {}
    # Not copies, which would be contiguous whatever arrives.
    capture(tiny, images_nhwc, ["conv0", "final_layer.FC"], outputs.__setitem__)
    assert outputs["conv0"].shape == (2, 11, 15, 96)
    assert outputs["final_layer.FC"].shape == (2, 7)
    for array in outputs.values():
        assert array.flags.c_contiguous
        assert array.dtype == np.float32


def test_values_are_those_of_the_layers(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """The very bits that the port computes when nobody looks."""
    outputs = collect(tiny, images_nhwc, ["conv0", "final_layer.FC", "final_layer.predictions"])
    images = torch.from_numpy(images_nhwc.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        assert np.array_equal(outputs["conv0"], tiny.conv0(images).numpy().transpose(0, 2, 3, 1))
        assert np.array_equal(outputs["final_layer.FC"], tiny(images).numpy())
        assert np.array_equal(outputs["final_layer.predictions"], tiny.predict(images).numpy())


def test_images_take_the_dtype_of_the_model(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    assert collect(tiny.double(), images_nhwc, ["conv0"])["conv0"].dtype == np.float64


@pytest.mark.parametrize("last", ["conv0", "conv0_bn", "cell_1.1x1", "final_layer.FC"])
def test_nothing_runs_after_the_last_layer(tiny: PNASNet, images_nhwc: np.ndarray, last: str) -> None:
    counts = runs(tiny)
    assert collect(tiny, images_nhwc, [last, "conv0"]).keys() == {last, "conv0"}
    assert counts[last] == 1
    order = list(counts)
    assert order[-1] == last
    assert "final_layer.predictions" not in order


def test_nothing_runs_where_nothing_is_asked_for(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    counts = runs(tiny)
    assert collect(tiny, images_nhwc, []) == {}
    assert not counts


def test_layers_that_the_port_lacks_are_not_reported(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    assert collect(tiny, images_nhwc, ["cell_99.1x1", "conv0", ""]).keys() == {"conv0"}


def test_a_layer_that_is_not_reached_is_not_reported(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    tiny.add_module("idle", nn.ReLU())
    assert collect(tiny, images_nhwc, ["idle", "conv0"]).keys() == {"conv0"}


@pytest.mark.parametrize("fails", [False, True], ids=["well", "by an error"])
def test_no_hook_is_left(tiny: PNASNet, images_nhwc: np.ndarray, fails: bool) -> None:
    """However the run ends; an error of a report is the cause of what is raised."""

    def report(_name: str, _array: np.ndarray) -> None:
        if fails:
            raise KeyError("mine")

    if fails:
        with pytest.raises(CandidateError, match="mine") as caught:
            capture(tiny, images_nhwc, layer_modules(tiny), report)
        assert isinstance(caught.value.__cause__, KeyError)
    else:
        capture(tiny, images_nhwc, ["conv0"], report)
    assert hooks(tiny) == 0


def test_no_layer_is_held(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """When one arrives, all that came before are gone."""
    seen: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    def report(_name: str, array: np.ndarray) -> None:
        held = [reference for reference in seen if reference() is not None]
        alive.append(len(held))
        seen.append(weakref.ref(array))

    capture(tiny, images_nhwc, layer_modules(tiny), report)
    assert len(alive) > 100
    assert set(alive) == {0}
    assert seen[-1]() is None


def test_a_layer_that_runs_twice_is_an_error(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Which of its outputs would be judged would be a matter of chance."""

    class Twice(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor) -> Tensor:
            self.module(x)
            result: Tensor = self.module(x)
            return result

    tiny.conv0_bn = Twice(tiny.conv0_bn)  # type: ignore[assignment]
    with pytest.raises(CandidateError, match=r"RuntimeError: conv0_bn\.module ran twice") as caught:
        collect(tiny, images_nhwc, list(layer_modules(tiny)))
    assert caught.value.layer == "conv0_bn.module"
    assert hooks(tiny) == 0


def raising(*_: object) -> None:
    raise ValueError("planted")


def test_an_error_tells_the_layer_that_was_running(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """And none where it is raised between two layers."""
    images = to_nchw(images_nhwc, torch.float32)
    for module, layer in (("cell_1.1x1", "cell_1.1x1"), ("cell_0.comb_iter_0", "")):
        tiny.get_submodule(module).forward = raising
        with pytest.raises(CandidateError, match="the candidate fails with ValueError: planted") as caught:
            run(tiny, images)
        assert caught.value.layer == layer


def test_each_layer_is_told_its_inputs_and_then_its_output(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """One layer after the other, and the very tensors that go in and come out."""
    calls: list[tuple[str, str]] = []
    images = to_nchw(images_nhwc, torch.float32)
    first_inputs: dict[str, Tensor] = {}

    def before(name: str, inputs: tuple[Tensor, ...]) -> None:
        calls.append(("before", name))
        first_inputs[name] = inputs[0]

    run(tiny, images, before, lambda name, _: calls.append(("after", name)))
    order = [name for when, name in calls if when == "after"]
    for number, name in enumerate(order):
        assert calls[2 * number : 2 * number + 2] == [("before", name), ("after", name)]
    assert len(calls) == 2 * len(order)
    assert set(order) == layer_modules(tiny).keys()
    assert first_inputs["conv0"] is images


def test_no_gradient_is_recorded(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    recorded: list[bool] = []
    tiny.conv0.register_forward_hook(lambda _module, _inputs, output: recorded.append(output.requires_grad))
    collect(tiny, images_nhwc, ["conv0_bn"])
    assert recorded == [False]


@pytest.mark.parametrize(("shape", "expected"), [((2, 3, 4, 5), (2, 4, 5, 3)), ((2, 3), (2, 3))])
def test_only_maps_change_their_axes(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    array = to_nhwc(torch.rand(shape))
    assert array.shape == expected
    assert array.flags.c_contiguous


@pytest.mark.parametrize(("shape", "expected"), [((2, 4, 5, 3), (2, 3, 4, 5)), ((2, 3), (2, 3))])
def test_an_array_becomes_a_tensor_of_its_own(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Contiguous in NCHW, in the dtype asked for, sharing no memory; and back it is the same array."""
    array = np.random.default_rng(0).normal(size=shape)
    tensor = to_nchw(array, torch.float64)
    assert tensor.shape == expected
    assert tensor.is_contiguous()
    assert np.array_equal(to_nhwc(tensor), array)
    tensor.zero_()
    assert array.all()
    assert to_nchw(array, torch.float32).dtype == torch.float32


def test_the_dtype_of_a_model_is_that_of_its_parameters(tiny: PNASNet) -> None:
    assert dtype_of(tiny) == torch.float32
    assert dtype_of(tiny.double()) == torch.float64
