"""`minimum_size` is the least image that both networks take."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from pnasnet_torch import Config, PNASNet
from pnasnet_torch.genotype import minimum_size
from pnasnet_torch.targets import variable_targets
from tf_reference.errors import InputError
from tf_reference.graph import ReferenceGraph

SMALL = Config(num_cells=4, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)
CONFIGS = [
    pytest.param(SMALL, id="two-reductions"),
    pytest.param(replace(SMALL, num_cells=3, num_reduction_layers=1), id="one-reduction", marks=pytest.mark.slow),
    pytest.param(replace(SMALL, num_cells=5, num_reduction_layers=3), id="three-reductions", marks=pytest.mark.slow),
    pytest.param(replace(SMALL, num_cells=2, num_reduction_layers=0), id="no-reduction"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_both_agree_at_the_minimum(
    config: Config, run_both: Callable[..., Any], assert_agree: Callable[..., None]
) -> None:
    assert_agree(run_both(config, minimum_size(config)), 1e-10)


@pytest.mark.parametrize("config", CONFIGS[1::2])
def test_one_column_less_and_the_official_network_is_another(
    config: Config, build_official: Callable[..., ReferenceGraph]
) -> None:
    """It does not notice the last reduction, and misses the variables that trained weights have for it."""
    height, width = minimum_size(config)
    with torch.device("meta"):
        model = PNASNet(config)
    assert build_official(config, (height, width)).variables.keys() == variable_targets(model).keys()
    assert build_official(config, (height, width - 1)).variables.keys() != variable_targets(model).keys()
    with pytest.raises(ValueError, match="too small"):
        model(torch.zeros(1, 3, height, width - 1))


def test_one_column_less_and_more_rows_is_refused_by_both(build_official: Callable[..., ReferenceGraph]) -> None:
    size = (64, minimum_size(SMALL)[1] - 1)
    with pytest.raises(InputError, match="the official code cannot build"):
        build_official(SMALL, size)
    with pytest.raises(ValueError, match="too small"):
        PNASNet(SMALL)(torch.zeros(1, 3, *size))


def test_one_row_less_is_refused_by_both(build_official: Callable[..., ReferenceGraph]) -> None:
    height, width = minimum_size(SMALL)
    with pytest.raises(InputError, match="the official code cannot build"):
        build_official(SMALL, (height - 1, width))
    with pytest.raises(ValueError, match="too small"):
        PNASNet(SMALL)(torch.zeros(1, 3, height - 1, width))


@pytest.mark.slow
def test_a_reduction_at_the_end_needs_no_more_width(build_official: Callable[..., ReferenceGraph]) -> None:
    """No cell behind it has to notice it, so the official network at 11 columns has the variables of the one at 64."""
    config = replace(SMALL, num_cells=3)
    narrow, wide = (build_official(config, (64, width)).variables for width in (11, 64))
    if narrow != wide:
        raise ValueError("the official network at 11 columns is another one")
    assert minimum_size(config)[1] <= 11
