"""What is left out of a conversion, and what cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parity.convert.change import changed
from pnasnet_torch import Config, variant
from pnasnet_torch.classes import NAMES
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.selection import Selection
from pnasnet_torch.source import Weights
from pnasnet_torch.state import State
from pnasnet_torch.stored import Stored
from pnasnet_torch.targets import OURS, TF
from pnasnet_torch.weights import outline


def weights_of(config: Config, name: str = "mobile") -> Weights:
    """Return weights of which each element is the number of its row, so that a row that is missing shows."""
    state = {}
    for key, tensor in outline(config).state_dict().items():
        numbers = np.arange(tensor.shape[0], dtype=np.float32)
        column = numbers.reshape(-1, *[1] * (tensor.ndim - 1))
        # A view: the values of Large would take 345 MB.
        state[key] = np.broadcast_to(column, tuple(tensor.shape))
    return Weights(
        state,
        name,
        config,
        (224, 224),
        Stored(Path("some.h5"), {"": State(state)}, "HDF5"),
        Selection("", OURS, "", ""),
    )


@pytest.fixture
def headed() -> Weights:
    """Mobile with an auxiliary head."""
    return weights_of(replace(variant("mobile").config, aux_image_size=(224, 224)))


def test_without_changes_the_weights_are_the_same(headed: Weights) -> None:
    assert changed(headed, OURS, None, False) is headed
    assert changed(headed, TF, 1001, False) is headed


def test_the_background_s_row_alone_is_left_out(headed: Weights) -> None:
    result = changed(replace(headed, label_names=("nothing", *NAMES)), OURS, 1000, False)
    assert result.config == replace(headed.config, num_classes=1000)
    assert result.label_names == NAMES
    for name, array in result.state.items():
        by_class = name.endswith((".FC.weight", ".FC.bias"))
        # The first row is row 1 where row 0 was left out.
        assert array.ravel()[0] == by_class
        assert array.shape[0] == headed.state[name].shape[0] - by_class
    shapes = {name: array.shape for name, array in result.state.items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in outline(result.config).state_dict().items()}


def test_the_auxiliary_head_is_left_out(headed: Weights) -> None:
    result = changed(headed, OURS, None, True)
    assert result.config == variant("mobile").config
    assert result.state.keys() == outline(result.config).state_dict().keys()


@pytest.mark.parametrize(
    ("classes", "asked", "message"),
    [
        (1000, 1001, r"some\.h5 has 1000 classes: the background's row is not there"),
        (7, 1000, r"--classes 1000: some\.h5 has 7 classes$"),
        (7, 1001, r"--classes 1001: some\.h5 has 7 classes$"),
    ],
)
def test_classes_that_are_not_there(classes: int, asked: int, message: str) -> None:
    weights = weights_of(replace(variant("mobile").config, num_classes=classes))
    with pytest.raises(WeightsError, match=message):
        changed(weights, OURS, asked, False)


def test_an_implementation_without_the_variant(headed: Weights) -> None:
    with pytest.raises(WeightsError, match=r"--names timm: .* has PNASNet-5 large alone, not mobile"):
        changed(headed, "timm", None, True)


def test_an_implementation_without_a_place_for_the_auxiliary_head() -> None:
    weights = weights_of(replace(variant("large").config, aux_image_size=(331, 331)), "large")
    with pytest.raises(WeightsError, match=r"no place for the auxiliary head that some\.h5 has: --drop-aux-head"):
        changed(weights, "pytorchcv", None, False)
    assert changed(weights, "pytorchcv", None, True).config == variant("large").config
