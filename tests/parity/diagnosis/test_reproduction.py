"""A fault to take away: what a layer does is recorded, cut to the least, and written as a script that shows it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import parity
from parity.diagnosis.reproduction.case import Case, smallest
from parity.diagnosis.reproduction.program import Program, Tape
from pnasnet_torch import PNASNet, pnasnet_mobile
from pnasnet_torch.cell import Combination
from pnasnet_torch.formats import write_file
from pnasnet_torch.operations import SameConv2d
from tests.parity.candidate.flat import Flat

SIZE = "97x131"


class Layer(nn.Module):
    """Pads, convolves each channel, and rectifies in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(6, 6, 3, stride=2, groups=6, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's value (N, 6, H, W)."""
        self.conv.weight.sum()  # which leads nowhere
        return F.relu_(self.conv(F.pad(x, (0, 1, 0, 1), value=-torch.inf).clamp(min=-9.0)))


def taped(module: nn.Module, x: Tensor) -> Program:
    tape = Tape(module)
    tape.is_input(x, 0)
    with torch.no_grad(), tape:
        output = module(x)
    return tape.program(output)


def test_a_program_gives_what_was_recorded() -> None:
    layer, x = Layer(), torch.randn(1, 6, 8, 9)
    program = taped(layer, x)
    other = torch.randn(2, 6, 5, 4)
    assert torch.equal(program.run([other], program.constants), layer(other))
    assert list(program.constants) == ["conv.weight"]
    # Without the sum.
    assert len(program.calls) == 4


def test_a_program_is_written_as_python() -> None:
    layer, x = Layer(), torch.randn(1, 6, 8, 9)
    program = taped(layer, x)
    names: dict[str, Any] = {"torch": torch, "input0": x, "constants": program.constants}
    with torch.no_grad():
        exec("\n".join(program.lines()), names)
    assert torch.equal(names["output"], layer(x))


def case_of(layer: nn.Module, x: Tensor) -> Case:
    program = taped(layer, x)
    weights = program.constants["conv.weight"]
    name = "a/depthwise_weights"
    variables = {name: weights.detach().numpy().transpose(2, 3, 0, 1)}
    inputs = (x.permute(0, 2, 3, 1).numpy(),)
    constants = program.constants
    return Case("a", "DepthwiseConv2dNative", inputs, variables, program, constants, {"conv.weight": name}, exact=False)


def test_channels_are_cut_out_of_all_that_has_them() -> None:
    layer, x = Layer(), torch.randn(1, 6, 8, 9)
    whole = case_of(layer, x)
    part = whole.of_channels(slice(2, 4), slice(2, 4))
    assert np.array_equal(part.actual(), whole.actual()[..., 2:4])
    assert part.variables["a/depthwise_weights"].shape == (3, 3, 2, 1)


def test_the_smallest_case_is_the_least_that_shows_the_fault() -> None:
    layer, x = Layer(), torch.randn(3, 6, 32, 33)

    def shows(case: Case) -> bool:
        """As a fault that takes four rows, and the channel of the worst element."""
        return case.inputs[0].shape[1] >= 4 and bool(case.actual().size)

    small = smallest(case_of(layer, x), shows, (1, 0, 0, 5))
    assert small.inputs[0].shape == (1, 4, 4, 1)
    assert torch.equal(small.constants["conv.weight"], layer.conv.weight[5:6])


def epsilon(model: PNASNet) -> None:
    model.get_submodule("cell_2.beginning_bn").eps = 1e-2  # type: ignore[assignment]


class Swapped(SameConv2d):
    """Its kernels' rows are columns."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved map (N, C, H, W)."""
        return F.conv2d(x, self.weight.mT, None, 1, 2, groups=self.groups)


def swapped(model: PNASNet) -> None:
    model.get_submodule("cell_1.comb_iter_0.left.separable_5x5_1.depthwise").__class__ = Swapped


def subtracted(model: PNASNet) -> None:
    combination = model.get_submodule("cell_3.comb_iter_2")
    assert isinstance(combination, Combination)
    combination.get_submodule("combine").get_submodule("add").forward = torch.sub


class OtherNorms(Flat):
    """Functions in the place of batch norms, with PyTorch's own epsilon."""

    def norm(self, x: Tensor) -> Tensor:
        """Run the next batch norm."""
        norm = self.norms[self._norm]
        assert isinstance(norm, nn.BatchNorm2d)
        self._norm += 1
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5)


def planted(plant: Callable[[PNASNet], None]) -> nn.Module:
    model = pnasnet_mobile().eval()
    plant(model)
    return model


FAULTS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "an epsilon": (lambda: planted(epsilon), "cell_2.beginning_bn"),
    "kernels": (lambda: planted(swapped), "cell_1.comb_iter_0.left.separable_5x5_1.depthwise"),
    "a difference": (lambda: planted(subtracted), "cell_3.comb_iter_2.combine.add"),
    "a function": (lambda: OtherNorms(pnasnet_mobile()).eval(), "conv0_bn"),
}


def script(folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-I", folder / "reproduce.py"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_script_shows_the_fault(fault: str, tmp_path: Path) -> None:
    make, layer = FAULTS[fault]
    checked = parity.check(make(), image_size=SIZE, reference="official", reproduce=tmp_path)
    folder = tmp_path / f"mobile-97x131-{layer}"
    assert f"{layer} is reproduced by python {folder / 'reproduce.py'}" in str(checked)
    code, said = script(folder)
    assert (code, said.splitlines()[-1]) == (1, "it shows the fault")
    assert (folder / "tensors.safetensors").stat().st_size < 10_000
    assert checked.culprits[0].layer == layer
    # With the candidate's own value in the place of TensorFlow's there is no fault.
    tensors = parity_tensors(folder / "tensors.safetensors")
    write_file(folder / "tensors.safetensors", {**tensors, "expected": actual_of(folder)})
    code, said = script(folder)
    assert (code, said.splitlines()[-1]) == (0, "it does not show the fault here")


def parity_tensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return dict(load_file(path))


def actual_of(folder: Path) -> np.ndarray:
    """What the script's operations give."""
    tensors = {name: torch.from_numpy(array) for name, array in parity_tensors(folder / "tensors.safetensors").items()}
    constants = {name.removeprefix("constant "): tensor for name, tensor in tensors.items()}
    inputs = {name.replace(" ", ""): tensor for name, tensor in tensors.items() if name.startswith("input")}
    lines = (folder / "reproduce.py").read_text().splitlines()
    names: dict[str, Any] = {"torch": torch, "constants": constants, **inputs}
    program = [line.strip() for line in lines if "torch.ops." in line or line.startswith("    output = ")]
    exec("\n".join(program), names)
    output: np.ndarray = names["output"].numpy()
    return output


@pytest.mark.slow
def test_a_fault_of_wiring_is_said_to_be_none_of_an_operation(tmp_path: Path) -> None:
    def missing_relu() -> nn.Module:
        model = pnasnet_mobile().eval()
        model.get_submodule("cell_2.comb_iter_0.left").add_module("relu", nn.Identity())
        return model

    checked = parity.check(missing_relu, image_size=SIZE, reference="official", reproduce=tmp_path)
    assert not checked
    assert [path.name for path in tmp_path.iterdir()] == ["mobile-97x131-cell_2.comb_iter_0.left.relu"]


def test_digests_reproduce_nothing(tmp_path: Path) -> None:
    checked = parity.check(planted(epsilon), image_size=SIZE, reproduce=tmp_path)
    assert "cell_2.beginning_bn is not reproduced: " in str(checked)
    assert list(tmp_path.iterdir()) == []
