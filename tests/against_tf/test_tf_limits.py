"""`minimum_size` is the least image that both networks take."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from pnasnet_torch import Config, PNASNet
from pnasnet_torch.genotype import minimum_size
from tf_reference.errors import InputError

SMALL = Config(num_cells=3, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)
CONFIGS = [
    pytest.param(SMALL, id="two-reductions"),
    pytest.param(replace(SMALL, num_reduction_layers=1), id="one-reduction"),
    pytest.param(replace(SMALL, num_cells=4, num_reduction_layers=3), id="three-reductions"),
    pytest.param(replace(SMALL, num_reduction_layers=0), id="no-reduction"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_both_agree_at_the_minimum(
    config: Config, run_both: Callable[..., Any], assert_agree: Callable[..., None]
) -> None:
    assert_agree(run_both(config, minimum_size(config)), 1e-10)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("less", [(1, 0), (0, 1)], ids=["lower", "narrower"])
def test_one_pixel_less_is_refused_by_both(
    config: Config, less: tuple[int, int], build_official: Callable[..., Any]
) -> None:
    height, width = minimum_size(config)
    size = height - less[0], width - less[1]
    with pytest.raises(InputError, match="the official code cannot build"):
        build_official(config, size)
    with pytest.raises(ValueError, match="too small"):
        PNASNet(config).eval()(torch.zeros(1, 3, *size))
