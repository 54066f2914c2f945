"""Training mode with the auxiliary head: batch statistics, both logits, and what one update does to the statistics."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pnasnet_torch import Config

SMALL = Config(num_cells=3, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)
SIZES = [pytest.param((67, 67), id="1x1"), pytest.param((70, 131), id="1x2")]


@pytest.fixture
def run_training(run_both: Callable[..., Any]) -> Callable[..., Any]:
    return lambda size, **changes: run_both(replace(SMALL, aux_image_size=size, **changes), size, training=True)


@pytest.mark.parametrize("size", SIZES)
def test_every_layer_agrees_with_batch_statistics(
    size: tuple[int, int], run_training: Callable[..., Any], assert_agree: Callable[..., None]
) -> None:
    sides = run_training(size)
    assert_agree(sides, 1e-9)
    assert "aux_1.aux_logits.FC" in sides.official


@pytest.mark.slow
def test_the_bounded_network_agrees_too(run_training: Callable[..., Any], assert_agree: Callable[..., None]) -> None:
    assert_agree(run_training((131, 100), use_bounded_activation=True), 1e-9)


def test_both_have_the_same_variables(run_training: Callable[..., Any]) -> None:
    sides = run_training((70, 131))
    assert sides.graph.variables["aux_1/aux_logits/Conv/weights"].shape == (1, 2, 128, 768)
    assert len(sides.graph.variables) == len(sides.model.state_dict())


def test_statistics_are_the_batchs_own(run_training: Callable[..., Any]) -> None:
    """The mean of a normalised batch is beta, which the random moving statistics would not give."""
    sides = run_training((67, 67))
    beta = sides.model.state_dict()["conv0_bn.bias"].numpy()
    np.testing.assert_allclose(sides.official["conv0_bn"].mean((0, 1, 2)), beta, rtol=1e-9)
    np.testing.assert_allclose(sides.port["conv0_bn"].mean((0, 1, 2)), beta, rtol=1e-9)
