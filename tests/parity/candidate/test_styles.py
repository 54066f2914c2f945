"""Alignment of the port in other styles: functions, bare parameters, written-out operations, exported graphs."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import parity
from parity.candidate.alignment.__main__ import main
from parity.candidate.alignment.align import align
from parity.candidate.find import candidate_from
from parity.core.layers import network_at
from pnasnet_torch.genotype import CellPlan, Operand
from tests.parity.candidate.flat import Bare, Flat, Written
from tests.parity.candidate.test_alignment import SIZE, Model, aligned, epsilon, port, renamed

HERE = __name__


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this module be imported by its name, however pytest imported it."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def flat() -> Model:
    return Flat(port()).eval()


def flat_and_faulty() -> Model:
    model = port()
    epsilon(model)
    return Flat(model).eval()


def test_a_model_in_a_flat_and_functional_style() -> None:
    """What functions give is judged as well, and all weights find their place."""
    found = aligned(flat())
    assert list(found.reasons) == ["final_layer.predictions"]
    assert found.functions["cell_0.comb_iter_0.left.separable_5x5_1.depthwise"] == ":conv.24"
    names = found.adapter.names
    ours = {name: tensor.shape for name, tensor in port().state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in flat().state_dict().items()}
    assert {names.parameter(name): shape for name, shape in ours.items()} == theirs
    checked = parity.check(flat_and_faulty, image_size=SIZE)
    assert [culprit.layer for culprit in checked.culprits] == ["cell_2.beginning_bn"]


def bare() -> Model:
    return Bare(port()).eval()


def test_a_model_without_modules_for_its_parameters() -> None:
    """And that returns a dictionary."""
    found = aligned(bare())
    assert not found.reasons
    assert not found.modules
    assert found.tensors["conv0_bn.running_mean"] == "norms.2"
    assert parity.check(bare, image_size=SIZE)


def test_functions_are_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{HERE}:bare", "--image-size", SIZE]) == 0
    adapter, said = capsys.readouterr()
    assert "0 of 726 layers of mobile are outputs of modules, and 726 of functions" in said
    (tmp_path / "mine.toml").write_text(adapter)
    assert parity.check(bare, image_size=SIZE, adapter=tmp_path / "mine.toml")


def written() -> Model:
    return Written(port()).eval()


def test_batch_norms_and_sums_that_are_written_out() -> None:
    found = aligned(written())
    assert list(found.reasons) == ["final_layer.predictions"]
    scales, shifts = found.tensors["cell_0.beginning_bn.weight"], found.tensors["cell_0.beginning_bn.running_mean"]
    assert scales.removesuffix("gamma") == shifts.removesuffix("moving_mean")
    checked = parity.check(written, image_size=SIZE)
    assert checked, str(checked)


def test_what_is_padded_at_one_size_alone_is_found_at_each() -> None:
    model = written()
    sites = [align(model, model, network_at("mobile", size)).sites for size in ("224", SIZE)]
    assert [by_layer["cell_0.avg_pool_1"] for by_layer in sites] == [":subsample.3", ":pad.17"]
    candidate = candidate_from(written, None)
    for size in ("224", SIZE):
        parts = candidate.parts(network_at("mobile", size))
        assert len(parts.layers) == 725


def exported() -> Model:
    any_number = ({0: torch.export.Dim("images")},)
    return torch.export.export(port(), (torch.zeros(2, 3, 97, 131),), dynamic_shapes=any_number).module()


@pytest.mark.filterwarnings("ignore")
def test_the_names_of_weights_need_not_be_those_of_modules() -> None:
    """What was exported has the port's names, and functions alone."""
    checked = parity.check(exported, image_size=SIZE)
    assert checked, str(checked)
    assert "shows 725 of 726 layers" in str(checked)


class Normalized(nn.Module):
    """Subtracts a constant from the images, in front of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = renamed(port())[0]
        self.offset = nn.Buffer(torch.zeros(3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        """Return the logits (N, classes) of images (N, 3, H, W), in a tuple."""
        return self.inner(images - self.offset), None


def test_constants_stay_as_they_are() -> None:
    checked = parity.check(Normalized, image_size=SIZE)
    assert checked, str(checked)
    assert "and stay as they are: offset" in str(checked)


class Beside(Flat):
    """Depthwise convolutions pad as much before a map as behind it."""

    def conv(self, x: Tensor) -> Tensor:
        """Run the next convolution."""
        conv = self.convs[self._conv]
        assert isinstance(conv, nn.Conv2d)
        self._conv += 1
        padding = conv.kernel_size[0] // 2 if conv.groups > 1 else 0
        return nn.functional.conv2d(x, conv.weight, None, conv.stride, padding, groups=conv.groups)


class AtFirst(Flat):
    """Wrong where integers are judged, whose first run it is, and not where the layers are looked at."""

    runs = 0

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 3, H, W)."""
        self.runs += 1
        return super().forward(images)

    def operation(self, operand: Operand, plan: CellPlan, x: Tensor) -> Tensor:
        """Return what an operation makes of a state."""
        output = super().operation(operand, plan, x)
        return output + 1 if plan.scope == "cell_0" and self.runs == 1 else output


@pytest.mark.slow
def test_a_function_that_is_sound_the_next_time_is_told() -> None:
    checked = parity.check(AtFirst(port()).eval(), image_size=SIZE, reference="official")
    assert {culprit.kind for culprit in checked.culprits} == {"passes in context"}


@pytest.mark.slow
def test_a_function_at_fault_is_looked_at_closely() -> None:
    checked = parity.check(Beside(port()).eval(), image_size=SIZE, reference="official")
    first = checked.culprits[0]
    assert (first.layer, first.kind) == ("cell_stem_0.comb_iter_0.left.separable_5x5_1.depthwise", "in context")
    assert first.hints[0].startswith("it gives: padding of 2 before the rows and 2 before the columns instead of 1")
    # In those of stride 1 it is the same.
    assert len(checked.culprits) == 20
