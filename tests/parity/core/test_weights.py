"""Weights that a run is given: from any file the official network gets the same bits, and evaluation has no head."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import GivenWeights, Specification
from parity.core.weights import read_given
from parity.reference.live import LiveReference
from pnasnet_torch import variant
from pnasnet_torch.source import read_weights
from pnasnet_torch.targets import TF
from pnasnet_torch.weights import outline, store
from tf_reference import checkpoint

SMALL = Network("mobile", 65, 65)
MOBILE = variant("mobile").config


def bits(variables: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in variables.items()}


@pytest.fixture(scope="module")
def state(synthetic: Path) -> dict[str, torch.Tensor]:
    """The synthetic checkpoint by the port's names."""
    return {name: torch.from_numpy(array.copy()) for name, array in read_weights(synthetic).state.items()}


def test_a_checkpoint_and_a_file_of_pytorch_give_the_same(
    synthetic: Path, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({"model": {name: -tensor for name, tensor in state.items()}, "ema": state}, tmp_path / "last.ckpt")
    given = read_given(tmp_path / "last.ckpt", "average")
    assert given.variant == "mobile"
    assert bits(given.variables) == bits(read_given(synthetic, None).variables) == bits(checkpoint.read(synthetic))
    assert str(given) == f"{tmp_path / 'last.ckpt'}, ema"
    assert given.sha256 == read_given(tmp_path / "last.ckpt", "raw").sha256


def test_a_network_of_other_classes_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    few = {name: tensor[:6] if name.startswith("final_layer.FC") else tensor for name, tensor in state.items()}
    torch.save(few, tmp_path / "few.pth")
    with pytest.raises(InputError, match=r"few\.pth is a network of 6 classes: expected the 1,001 of the official one"):
        read_given(tmp_path / "few.pth", None)


@pytest.fixture
def headed(synthetic: Path, tmp_path: Path) -> GivenWeights:
    """The synthetic weights with an auxiliary head, from a checkpoint whose training left its averages."""
    model = outline(replace(MOBILE, aux_image_size=(224, 224)))
    weights = dict(read_weights(synthetic).state)
    for name, tensor in model.state_dict().items():
        weights.setdefault(name, np.full(tuple(tensor.shape), 0.5, np.float32))
    variables = store(model, TF, weights)
    averages = {f"{name}/ExponentialMovingAverage": array for name, array in variables.items()}
    checkpoint.write(tmp_path / "headed.ckpt", variables | averages)
    return read_given(tmp_path / "headed.ckpt", None)


def test_an_auxiliary_head_is_left_aside_in_evaluation(synthetic: Path, headed: GivenWeights) -> None:
    reference = LiveReference(Specification((SMALL,), headed, (), ("official",), 0, 1))
    variables = reference.variables(SMALL, reference.graph(SMALL, "float32"))
    assert "aux_5/aux_logits/FC/biases" in headed.variables
    assert bits(variables) == bits(checkpoint.read(synthetic))
    assert "averages" in headed.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "untrained"), [(224, False), (97, True)])
def test_training_uses_the_head_that_fits_its_size(size: int, untrained: bool, headed: GivenWeights) -> None:
    """One for another size is drawn at random, which the run says."""
    network = Network("mobile", size, size)
    training = LiveReference(Specification((network,), headed, (), ("official",), 0, 1, training=True)).training(
        network
    )
    assert training.untrained is untrained
