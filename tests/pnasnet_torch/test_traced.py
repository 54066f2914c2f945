"""A traced network gives the network's bits, for images of the one shape that it was traced for."""

import copy

import pytest
import torch
from torch import Tensor

from pnasnet_torch import PNASNet, Traced, inference_form


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [(64, 64), (35, 50)], ids=str)
def test_the_same_bits(small_model: PNASNet, dtype: torch.dtype, size: tuple[int, int]) -> None:
    """For other images than those that it was traced with."""
    form = inference_form(small_model.to(dtype))
    traced = Traced(form, torch.rand(2, 3, *size, dtype=dtype))
    images = torch.rand(2, 3, *size, dtype=dtype) * 2 - 1
    assert torch.equal(traced(images), form(images))


def test_of_any_network(small_model: PNASNet, images: Tensor) -> None:
    assert torch.equal(Traced(small_model, images)(images), small_model(images))


def test_in_inference_mode(small_model: PNASNet) -> None:
    with torch.inference_mode():
        images = torch.rand(1, 3, 64, 64)
        form = inference_form(small_model)
        assert torch.equal(Traced(form, images)(images), form(images))


def test_modules_are_not_called_any_more(small_model: PNASNet, images: Tensor) -> None:
    form = inference_form(small_model)
    traced, called = Traced(form, images), []
    for module in form.modules():
        module.register_forward_hook(lambda *_: called.append(1))
    traced(images)
    assert called == []
    form(images)
    assert called


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (torch.zeros(2, 3, 64, 65), r"\(2, 3, 64, 65\), torch.float32"),
        (torch.zeros(1, 3, 64, 64), r"\(1, 3, 64, 64\), torch.float32"),
        (torch.zeros(2, 3, 64, 64, dtype=torch.float64), r"\(2, 3, 64, 64\), torch.float64"),
    ],
    ids=["size", "number", "dtype"],
)
def test_other_images_are_refused(small_model: PNASNet, images: Tensor, found: str) -> None:
    traced = Traced(inference_form(small_model), torch.zeros(2, 3, 64, 64))
    with pytest.raises(ValueError, match=rf"traced for images \(2, 3, 64, 64\), torch.float32, found {found}"):
        traced(images)


def test_another_network_gives_other_logits(small_model: PNASNet, images: Tensor) -> None:
    """What is traced is the network, not one of its outputs."""
    other = copy.deepcopy(small_model)
    with torch.no_grad():
        other.conv0.weight.mul_(1.5)
    assert not torch.equal(
        Traced(inference_form(other), images)(images), Traced(inference_form(small_model), images)(images)
    )
