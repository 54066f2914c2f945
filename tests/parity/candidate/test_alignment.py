"""Alignment: a model with other names, a sound one or one with a fault, is found by its operations alone."""

import importlib
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

import parity
from parity.candidate.adapter import built_in, read
from parity.candidate.alignment.__main__ import main
from parity.candidate.alignment.align import align
from parity.candidate.alignment.alignment import Alignment
from parity.candidate.find import candidate_from
from parity.core.errors import InputError
from parity.core.layers import network_at, port_layers
from pnasnet_torch import PNASNet, pnasnet_mobile, variant
from pnasnet_torch.cell import Combination
from pnasnet_torch.operations import BatchNorm, Concat, SameConv2d
from pnasnet_torch.weights import outline

SIZE = "97x131"
NETWORK = network_at("mobile", SIZE)
HERE = __name__
Model = nn.Module
# What the port is called in these tests: official layers by the paths of a stranger's model.
Names = dict[str, str]


def renamed(model: Model, seed: int = 0) -> tuple[Model, Names]:
    """Give all modules random names, but for those in a ModuleDict, which are keys; and say what each is called."""
    rng = np.random.default_rng(seed)
    before = {id(module): path for path, module in model.named_modules()}
    for module in list(model.modules()):
        if isinstance(module, nn.ModuleDict) or not module._modules:
            continue
        new = {name: f"m{rng.integers(10**9)}" for name in module._modules}
        module._modules = OrderedDict((new[name], child) for name, child in module._modules.items())
        module.__dict__["own_names"] = new
        kind = type(module)

        def found(self: Model, name: str, kind: type[Model] = kind) -> object:
            return nn.Module.__getattr__(self, self.__dict__.get("own_names", {}).get(name, name))

        module.__class__ = type("Stranger", (kind,), {"__getattr__": found})
        for attribute in ("prev_path", "net_path", "path"):
            if attribute in module.__dict__:
                module.__dict__[attribute] = tuple(new[name] for name in module.__dict__[attribute])
    return model, {before[id(module)]: path for path, module in model.named_modules()}


def port() -> PNASNet:
    return pnasnet_mobile().eval()


def aligned(model: Model) -> Alignment:
    return align(model, model, NETWORK)


@pytest.fixture(scope="module")
def sound() -> Alignment:
    return aligned(port())


def test_the_port_is_itself(sound: Alignment) -> None:
    layers = port_layers("mobile")
    assert sound.modules == {layer: layer for layer in layers if layer != "final_layer.predictions"}
    # Its own forward ends at the logits.
    assert sound.reasons == {"final_layer.predictions": "no operation of the model is clearly this one"}
    assert sound.together == sound.vectors == ()


def test_a_model_with_other_names(sound: Alignment) -> None:
    model, names = renamed(port())
    found = aligned(model)
    assert found.modules == {layer: names[path] for layer, path in sound.modules.items()}
    assert found.owners == {layer: names[path] for layer, path in sound.owners.items()}


def epsilon(model: PNASNet) -> None:
    model.get_submodule("cell_2.beginning_bn").eps = 1e-2  # type: ignore[assignment]


def padding(model: PNASNet) -> None:
    """Symmetric, as the known port has it."""
    conv = model.get_submodule("cell_1.comb_iter_0.left.separable_5x5_1.depthwise")

    def forward(x: Tensor) -> Tensor:
        assert isinstance(conv, SameConv2d)
        return nn.functional.conv2d(x, conv.weight, None, conv.stride, 2, groups=conv.groups)

    conv.forward = forward


def exchanged_inputs(model: PNASNet) -> None:
    combination = model.get_submodule("cell_3.comb_iter_2")
    assert isinstance(combination, Combination)
    forward = combination.forward
    combination.forward = lambda left, right, step: forward(right, left, step)  # type: ignore[method-assign]


def exchanged_operations(model: PNASNet) -> None:
    combination = model.get_submodule("cell_3.comb_iter_0")
    assert isinstance(combination, Combination)
    combination.left, combination.right = combination.right, combination.left


def other_order(model: PNASNet) -> None:
    class Reversed(Concat):
        def forward(self, *parts: Tensor) -> Tensor:
            return super().forward(*parts[::-1])

    model.get_submodule("cell_2.cell_output").add_module("concat", Reversed())


def doubled_relu(model: PNASNet) -> None:
    branch = model.get_submodule("cell_2.comb_iter_0.left")
    relu = branch.get_submodule("relu")
    branch.add_module("relu", nn.Sequential(nn.ReLU(), relu))


def missing_relu(model: PNASNet) -> None:
    model.get_submodule("cell_2.comb_iter_0.left").add_module("relu", nn.Identity())


def stride(model: PNASNet) -> None:
    """One pixel of four, twice as large again."""
    conv = model.get_submodule("cell_2.comb_iter_0.left.separable_5x5_1.depthwise")
    assert isinstance(conv, SameConv2d)

    def forward(x: Tensor) -> Tensor:
        small = nn.functional.conv2d(x, conv.weight, None, 2, 2, groups=conv.groups)
        return nn.functional.interpolate(small, x.shape[2:])

    conv.forward = forward  # type: ignore[method-assign]


def filters(model: PNASNet) -> None:
    """Another number in the middle of an operation."""
    branch = model.get_submodule("cell_2.comb_iter_0.left")
    first = branch.get_submodule("separable_5x5_1")
    second = branch.get_submodule("separable_5x5_2")
    depthwise = first.get_submodule("depthwise")
    assert isinstance(depthwise, SameConv2d)
    channels = depthwise.in_channels
    first.add_module("pointwise", SameConv2d(channels, channels + 3, 1))
    branch.add_module("bn_sep_5x5_1", BatchNorm(channels + 3))
    second.add_module("depthwise", SameConv2d(channels + 3, channels + 3, 5, groups=channels + 3))
    second.add_module("pointwise", SameConv2d(channels + 3, channels, 1))


# Each fault, and the layers that it takes away or that lie in what is inserted.
FAULTS: dict[str, tuple[Callable[[PNASNet], None], str]] = {
    "epsilon": (epsilon, ""),
    "padding": (padding, ""),
    "exchanged inputs": (exchanged_inputs, ""),
    "exchanged operations": (exchanged_operations, r"cell_3\.comb_iter_0\..*"),
    "another order": (other_order, ""),
    "a doubled ReLU": (doubled_relu, r"cell_2\.comb_iter_0\.left\.relu"),
    "a missing ReLU": (missing_relu, r"cell_2\.comb_iter_0\.left\.relu"),
    "another stride": (stride, r"cell_2\.comb_iter_0\.left\.separable_5x5_1\.depthwise"),
    "other filters": (filters, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_hides_no_more_than_itself(fault: str, sound: Alignment) -> None:
    plant, concerned = FAULTS[fault]
    model = port()
    plant(model)
    stranger, names = renamed(model)
    found = aligned(stranger)
    lost = {layer for layer, path in sound.modules.items() if found.modules.get(layer) != names.get(path, "gone")}
    assert {layer for layer in lost if not re.fullmatch(concerned, layer)} == set()


def make() -> Model:
    return renamed(port())[0]


def make_faulty() -> Model:
    model = port()
    epsilon(model)
    return renamed(model)[0]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this module be imported by its name, however pytest imported it."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def test_a_stranger_s_model_gets_a_verdict_without_an_adapter() -> None:
    checked = parity.check(make, image_size=SIZE)
    assert checked, str(checked)
    assert "shows 725 of 726 layers" in str(checked)
    assert "was aligned by its operations" in str(checked)
    faulty = parity.check(make_faulty, image_size=SIZE)
    assert [culprit.layer for culprit in faulty.culprits] == ["cell_2.beginning_bn"]


def test_what_was_found_is_an_adapter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And judges as what was found does."""
    assert main([f"{HERE}:make", "--image-size", SIZE]) == 0
    adapter, said = capsys.readouterr()
    assert "725 of 726 layers of mobile are outputs of modules" in said
    assert "no operation of the model is clearly this one: final_layer.predictions" in said
    (tmp_path / "mine.toml").write_text(adapter)
    written, found = read(tmp_path / "mine.toml"), candidate_from(make, None).adapter
    assert all(written.module(layer) == found.module(layer) for layer in port_layers("mobile"))
    assert parity.check(make, image_size=SIZE, adapter=tmp_path / "mine.toml")


def test_weights_that_evaluation_does_not_take_are_left_aside() -> None:
    """Such as those of an auxiliary head."""

    def with_head() -> Model:
        return renamed(PNASNet(replace(variant("mobile").config, aux_image_size=(224, 224))).eval())[0]

    assert len(aligned(with_head()).kept) == 12
    assert parity.check(with_head, image_size=SIZE)


def test_a_model_that_raises_is_told() -> None:
    def raising() -> Model:
        model = make()
        model.forward = lambda _images: 1 / 0
        return model

    with pytest.raises(InputError, match="raises ZeroDivisionError"):
        parity.check(raising, image_size=SIZE)


def test_what_is_none_of_ours_is_told() -> None:
    with pytest.raises(InputError, match="no first convolution of PNASNet-5 large or mobile: say in an adapter"):
        parity.check(nn.Linear(2, 2))


@pytest.mark.slow
def test_another_implementation_is_found_by_its_operations() -> None:
    """Its weights are those that its names say, and of its layers those are hidden that it cuts off later."""
    model = importlib.import_module("pytorchcv.models.pnasnet").pnasnet5large(num_classes=1001).eval()
    alignment = align(model, model, network_at("large", "331"))
    assert {layer for layer in alignment.reasons if not layer.startswith("cell_4.")} == {"final_layer.predictions"}
    assert len(alignment.reasons) == 6
    known, found = built_in("pytorchcv").names, alignment.adapter.names
    weights = outline(variant("large").config).state_dict()
    assert [name for name in weights if known.parameter(name) != found.parameter(name)] == []


class Padded(nn.Module):
    """A ReLU that is no module, behind which a module pads for a convolution."""

    def __init__(self, branch: Model) -> None:
        super().__init__()
        self.branch = branch
        self.pad = nn.ZeroPad2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the branch gives: padding is cut off again before it would count."""
        padded = self.pad(nn.functional.relu(x))
        output: Tensor = self.branch(padded[:, :, 2:-2, 2:-2])
        return output


def test_what_pads_behind_a_layer_is_not_the_layer(sound: Alignment) -> None:
    model = port()
    branch = model.get_submodule("cell_2.comb_iter_0.left")
    branch.add_module("relu", nn.Identity())
    model.get_submodule("cell_2.comb_iter_0").add_module("left", Padded(branch))
    found = aligned(model)
    # Another branch's ReLU on the same state is the same.
    assert "pad" not in found.modules["cell_2.comb_iter_0.left.relu"]
    lost = {layer for layer in sound.modules if layer not in found.modules}
    assert lost == set()
