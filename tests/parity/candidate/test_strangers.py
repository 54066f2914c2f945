"""The example of a stranger's port, with faults that are in all of its cells at once: each is found where it begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import parity
from parity.candidate.alignment.align import align
from parity.candidate.alignment.alignment import Alignment
from parity.core.layers import network_at

SOURCE = Path(__file__).parents[3] / "examples/own_port/own_port/model.py"
SIZE = "97x131"
STEM = "cell_stem_0"


class Fault(NamedTuple):
    """What is put in the place of what, how many layers are found then, and the first at fault."""

    sound: str
    faulty: str
    layers: int
    culprit: str


FAULTS = {
    "as much padding on both sides": Fault(
        "sides += [total // 2, total - total // 2]",
        "sides += [(kernel - 1) // 2] * 2",
        725,
        f"{STEM}.comb_iter_0.left.separable_5x5_1.depthwise",
    ),
    "an epsilon": Fault("BatchNorm2d(32, eps=EPSILON)", "BatchNorm2d(32)", 725, "conv0_bn"),
    "another order": Fault("cat([a, b, c, d, e]", "cat([b, a, c, d, e]", 725, f"{STEM}.cell_output.concat"),
    "another state": Fault("self.d(c)", "self.d(b)", 725, f"{STEM}.comb_iter_3.left.relu"),
    "halves exchanged": Fault(
        "self.here(x[:, :, ::2, ::2]), self.beside(beside)",
        "self.here(beside), self.beside(x[:, :, ::2, ::2])",
        725,
        "cell_stem_1.path1_conv",
    ),
    "the same half twice": Fault(
        "F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2]", "x[:, :, ::2, ::2]", 721, "cell_stem_1.path2_conv"
    ),
    "a missing ReLU": Fault("        x = F.relu(x)\n        beside", "        beside", 725, "cell_stem_1.avg_pool"),
    "an average for the largest": Fault(
        "F.max_pool2d(pad(x, 3, self.stride, value=-torch.inf), 3, self.stride)",
        "F.avg_pool2d(pad(x, 3, self.stride), 3, self.stride)",
        725,
        f"{STEM}.comb_iter_0.right.max_pool",
    ),
    "padding with zeros": Fault("value=-torch.inf", "value=0.0", 725, f"{STEM}.comb_iter_0.right.max_pool"),
    "another activation": Fault(
        "pad(F.relu(x), self.kernel, 1)",
        "pad(F.gelu(x), self.kernel, 1)",
        725,
        f"{STEM}.comb_iter_0.left.relu_1",
    ),
    "a ReLU behind a pool": Fault(", rectified=False) if inputs", ") if inputs", 725, f"{STEM}.comb_iter_0.right.1x1"),
    # The sum of two maps of other sizes raises: what lies behind it is not reached.
    "no stride": Fault(
        "inputs, kernel, stride, groups",
        "inputs, kernel, 1, groups",
        726,
        f"{STEM}.comb_iter_0.left.separable_5x5_1.depthwise",
    ),
    # And so does a convolution of other channels.
    "a state of other channels": Fault(
        "self.e(before) + self.e_skip(x)",
        "self.e(x) + self.e_skip(before)",
        726,
        f"{STEM}.comb_iter_4.left.separable_3x3_1.depthwise",
    ),
    "a product": Fault("self.a(before) +", "self.a(before) *", 725, f"{STEM}.comb_iter_0.combine.add"),
    "a smaller kernel": Fault(
        "SeparableBlock(filters, filters, 7",
        "SeparableBlock(filters, filters, 5",
        725,
        f"{STEM}.comb_iter_1.left.separable_7x7_1.depthwise",
    ),
}


def model_of(sound: str = "", faulty: str = "") -> Callable[[], nn.Module]:
    """Return what makes the example's model, with a text of its source replaced."""
    source = SOURCE.read_text()
    assert sound in source
    names: dict[str, Any] = {"__name__": "stranger"}
    exec(compile(source.replace(sound, faulty, 1), str(SOURCE), "exec"), names)
    make: Callable[[], nn.Module] = names["PNASNetMobile"]
    return make


def aligned(make: Callable[[], nn.Module]) -> Alignment:
    model = make().eval()
    return align(model, model, network_at("mobile", SIZE))


def test_the_example_is_found_and_sound() -> None:
    make = model_of()
    assert list(aligned(make).reasons) == ["final_layer.predictions"]
    assert parity.check(make, image_size=SIZE)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_all_cells_hides_nothing_but_itself(name: str) -> None:
    fault = FAULTS[name]
    assert len(aligned(model_of(fault.sound, fault.faulty)).sites) == fault.layers


POOLED = "F.relu(outputs[-1]).mean((2, 3))"
END = f"        logits: Tensor = self.classifier({POOLED})\n        return logits"
# What a model may do at its end, and whether that is parity.
ENDS = {
    "the probabilities": ("return logits.softmax(1)", True),
    "no background": ("return {'logits': logits[:, 1:]}", True),
    "a layer without its bias, used twice": (
        f"z = F.linear({POOLED}, self.classifier.weight); return [(z + self.classifier.bias).softmax(1), z]",
        True,
    ),
    "another sign": ("return -logits", False),
    "another order": ("return logits.roll(1, 1)", False),
    "a temperature": ("return (logits * 0.01).softmax(1)", False),
    "no last layer": (f"return {POOLED}", False),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_a_model_gives_is_what_its_last_layer_gives(name: str) -> None:
    end, is_sound = ENDS[name]
    first = END.splitlines()[0]
    checked = parity.check(model_of(END, f"{first}\n        {end}"), image_size=SIZE)
    assert bool(checked) == is_sound, str(checked)
    assert [culprit.layer for culprit in checked.culprits] == ([] if is_sound else ["final_layer.FC"])


def test_a_forward_in_inference_mode_is_taken_apart_too() -> None:
    start = '    def forward(self, images: Tensor) -> Tensor:\n        """Return the logits."""'
    make = model_of(start, f"    @torch.inference_mode()\n{start}")
    assert len(aligned(make).sites) == 725


WRITTEN = """        out = torch.empty(len(a), 5 * a.shape[1], *a.shape[2:], dtype=a.dtype)
        for number, part in enumerate([a, b, c, d, e]):
            out[:, number * a.shape[1] : (number + 1) * a.shape[1]] = part
        return out"""
PADDED = """    left, right, top, bottom = sides
    rows, columns = x.shape[2:]
    whole = x.new_full((*x.shape[:2], rows + top + bottom, columns + left + right), value)
    whole[:, :, top : top + rows, left : left + columns] = x
    return whole"""
# Memory that is written part by part, in the place of what.
PARTS = {
    "a concatenation": ("        return torch.cat([a, b, c, d, e], 1)", WRITTEN),
    "padding": ("    return F.pad(x, sides, value=value)", PADDED),
}


@pytest.mark.parametrize("name", PARTS)
def test_memory_may_be_written_part_by_part(name: str) -> None:
    sound, written = PARTS[name]
    make = model_of(sound, written)
    assert len(aligned(make).sites) == 725
    assert parity.check(make, image_size=SIZE)
    faulty = written.replace("[a, b, c", "[b, a, c").replace("left, right, top, bottom", "right, left, bottom, top")
    assert not parity.check(model_of(sound, faulty), image_size=SIZE)


def test_a_dense_layer_may_have_its_inputs_first() -> None:
    class InputsFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model_of()()
            self.inner.classifier = nn.Identity()
            self.weight = nn.Parameter(torch.zeros(1080, 1001))
            self.bias = nn.Parameter(torch.zeros(1001))

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.inner(images) @ self.weight + self.bias
            return logits

    assert parity.check(InputsFirst, image_size=SIZE)


def test_a_model_that_a_function_keeps_stays_as_it_is() -> None:
    model = model_of()().double().train()
    assert parity.check(lambda: model, image_size=SIZE)
    assert model.training
    assert next(model.parameters()).dtype == torch.float64


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_all_cells_is_found_where_it_begins(name: str) -> None:
    fault = FAULTS[name]
    checked = parity.check(model_of(fault.sound, fault.faulty), image_size=SIZE)
    assert checked.culprits[0].layer == fault.culprit
