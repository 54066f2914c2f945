"""Candidates with weights of their own, and with classes of their own."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import parity
from parity.candidate.own_weights import fill_from_file, own_weights_of
from parity.core.errors import InputError
from pnasnet_torch import PNASNet, pnasnet_mobile, variant
from pnasnet_torch.source import save_weights

SIZE = "97x131"
POINTWISE = "cell_2.comb_iter_0.left.separable_5x5_1.pointwise"


def thousand() -> PNASNet:
    return PNASNet(replace(variant("mobile").config, num_classes=1000)).eval()


def test_a_model_without_the_background_is_judged_on_its_own_classes() -> None:
    checked = parity.check(thousand, image_size=SIZE)
    assert checked, str(checked)
    assert "has no background among its classes: class 0 was added to its last layer" in str(checked)
    assert checked.layers["exact-float64"]["final_layer.FC"]


def test_a_fault_in_its_last_layer_is_found() -> None:
    def doubled() -> PNASNet:
        model = thousand()
        model.get_submodule("final_layer.FC").register_forward_hook(lambda _module, _inputs, output: output * 2)
        return model

    checked = parity.check(doubled, image_size=SIZE)
    assert [culprit.layer for culprit in checked.culprits] == ["final_layer.FC"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobile.safetensors"
    torch.manual_seed(0)
    save_weights(pnasnet_mobile(), path)
    return path


def loaded(checkpoint: Path) -> PNASNet:
    model = pnasnet_mobile().eval()
    fill_from_file(model, checkpoint)
    return model


def check(model: nn.Module | Callable[[], nn.Module], checkpoint: Path, weights: str | Path = "own") -> parity.Checked:
    return parity.check(model, image_size=SIZE, checkpoint=checkpoint, weights=weights)


@pytest.mark.slow
def test_own_weights_that_are_the_official_ones(checkpoint: Path) -> None:
    checked = check(loaded(checkpoint), checkpoint)
    assert checked, str(checked)
    assert "has its own weights: all 933 tensors are the official ones, bit by bit" in str(checked)


@pytest.mark.slow
def test_a_weight_that_was_changed_by_its_last_bit(checkpoint: Path) -> None:
    model = loaded(checkpoint)
    weight = model.get_submodule(POINTWISE).weight
    assert isinstance(weight, nn.Parameter)
    values = weight.detach().flatten()
    index = int(values.abs().argmax())
    values[index] = torch.nextafter(values[index], torch.tensor(0.0))
    checked = check(model, checkpoint)
    assert [culprit.layer for culprit in checked.culprits] == [POINTWISE]
    name = "cell_2/comb_iter_0/left/separable_5x5_1/pointwise_weights"
    assert f"1 of 933 tensors differ: {name} (1 of 2,916 values)" in str(checked)
    # The integer network's weights take their place there, and the operations are sound.
    assert all(checked.layers["exact-float64"].values())


@pytest.mark.slow
def test_own_weights_of_a_file(checkpoint: Path, tmp_path: Path) -> None:
    """As those train who save with DataParallel, and without the background."""
    state = OrderedDict()
    for name, tensor in loaded(checkpoint).state_dict().items():
        state[f"module.{name}"] = tensor[1:] if name.startswith("final_layer.FC") else tensor
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    checked = check(thousand, checkpoint, tmp_path / "mine.pth")
    assert checked, str(checked)
    assert "all 933 tensors are the official ones" in str(checked)


def test_a_file_that_does_not_fit_is_told(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fit the model \(2 problems\): wrong shape: final_layer.FC.weight: exp"):
        fill_from_file(thousand(), checkpoint)
    torch.save({"classifier.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(
        InputError, match=r"other.pth has no conv0.weight, as the model calls its first weight, but cla"
    ):
        fill_from_file(thousand(), tmp_path / "other.pth")
    state = dict(loaded(checkpoint).state_dict())
    del state["cell_0.1x1.weight"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(InputError, match=r"less.pth does not fit the model \(1 problems\): missing: cell_0.1x1.weight"):
        fill_from_file(pnasnet_mobile(), tmp_path / "less.pth")
    with pytest.raises(InputError, match="there is no such file: expected reference, own, or the path of weights"):
        own_weights_of("missing.pth")


def test_own_weights_need_official_ones() -> None:
    with pytest.raises(InputError, match="judged beside the official ones: give a checkpoint, or a trace"):
        parity.check(thousand, image_size=SIZE, weights="own")
