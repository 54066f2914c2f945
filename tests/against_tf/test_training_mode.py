"""Training mode with the auxiliary head: batch statistics, both logits, and what one update does to the statistics."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pnasnet_torch import Config

SMALL = Config(num_cells=6, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)
SIZES = [pytest.param((67, 67), id="1x1"), pytest.param((70, 131), id="1x2"), pytest.param((131, 100), id="2x1")]


@pytest.fixture
def run_training(run_both: Callable[..., Any]) -> Callable[..., Any]:
    return lambda size, **changes: run_both(replace(SMALL, aux_image_size=size, **changes), size, training=True)


@pytest.mark.parametrize("size", SIZES)
def test_every_layer_agrees_with_batch_statistics(
    size: tuple[int, int], run_training: Callable[..., Any], assert_agree: Callable[..., None]
) -> None:
    sides = run_training(size)
    assert_agree(sides, 1e-9)
    assert "aux_3.aux_logits.FC" in sides.official


def test_the_bounded_network_agrees_too(run_training: Callable[..., Any], assert_agree: Callable[..., None]) -> None:
    assert_agree(run_training((67, 67), use_bounded_activation=True), 1e-9)


def test_both_have_the_same_variables(run_training: Callable[..., Any]) -> None:
    sides = run_training((70, 131))
    assert sides.graph.variables["aux_3/aux_logits/Conv/weights"].shape == (1, 2, 128, 768)
    assert len(sides.graph.variables) == len(sides.model.state_dict())


def test_batch_statistics_differ_from_the_moving_ones(run_both: Callable[..., Any]) -> None:
    """Otherwise the tests above would not see which of them are used."""
    training = run_both(replace(SMALL, aux_image_size=(67, 67)), (67, 67), training=True).official
    evaluation = run_both(SMALL, (67, 67)).official
    assert np.linalg.norm(training["conv0_bn"] - evaluation["conv0_bn"]) > 0.1 * np.linalg.norm(training["conv0_bn"])
