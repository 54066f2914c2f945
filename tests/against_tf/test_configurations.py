"""The port is the official network not only where it was released: every hyper-parameter, in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pnasnet_torch import Config, PNASNet
from tf_reference.errors import InputError

SMALL = Config(num_cells=3, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)
SIZE = (64, 64)
BOUNDED: dict[str, Any] = {
    "use_bounded_activation": True,
    "num_cells": 4,
    "num_reduction_layers": 1,
    "skip_reduction_layer_input": False,
    "num_conv_filters": 13,
}
# Each hyper-parameter is in one that is not slow.
CASES = [
    pytest.param({}, SIZE, id="small", marks=pytest.mark.slow),
    pytest.param({"num_conv_filters": 13}, (96, 51), id="odd-filters-even-by-odd", marks=pytest.mark.slow),
    pytest.param(
        {"num_conv_filters": 54, "stem_multiplier": 1.0}, (33, 40), id="filters-of-mobile", marks=pytest.mark.slow
    ),
    pytest.param({"num_conv_filters": 4, "num_classes": 1}, SIZE, id="one-filter-one-class", marks=pytest.mark.slow),
    pytest.param({"num_cells": 1}, SIZE, id="reductions-in-the-first-cell", marks=pytest.mark.slow),
    pytest.param(
        {"num_cells": 2, "num_reduction_layers": 3}, SIZE, id="two-reductions-in-one-cell", marks=pytest.mark.slow
    ),
    pytest.param({"num_reduction_layers": 1}, (65, 96), id="one-reduction-odd-by-even", marks=pytest.mark.slow),
    pytest.param({"num_cells": 4, "num_reduction_layers": 3}, SIZE, id="three-reductions", marks=pytest.mark.slow),
    pytest.param({"num_reduction_layers": 0, "num_cells": 2, "num_classes": 0}, SIZE, id="no-reduction-no-classes"),
    pytest.param({"stem_multiplier": 0.7, "filter_scaling_rate": 1.5}, SIZE, id="stem-rounded-down-rate-1.5"),
    pytest.param(
        {"stem_multiplier": 0.0625, "num_cells": 2}, SIZE, id="stem-as-wide-as-its-cell", marks=pytest.mark.slow
    ),
    pytest.param({"filter_scaling_rate": 1.0, "num_cells": 2}, SIZE, id="rate-1", marks=pytest.mark.slow),
    pytest.param({"filter_scaling_rate": 0.5, "num_cells": 2}, SIZE, id="rate-below-1", marks=pytest.mark.slow),
    pytest.param({"num_cells": 5, "skip_reduction_layer_input": False}, SIZE, id="no-skip", marks=pytest.mark.slow),
    pytest.param({"use_bounded_activation": True}, SIZE, id="bounded", marks=pytest.mark.slow),
    pytest.param(BOUNDED, (65, 50), id="bounded-odd-no-skip"),
]


@pytest.mark.parametrize(("changes", "size"), CASES)
def test_every_layer_agrees(
    changes: dict[str, Any], size: tuple[int, int], run_both: Callable[..., Any], assert_agree: Callable[..., None]
) -> None:
    sides = run_both(replace(SMALL, **changes), size)
    assert_agree(sides, 1e-10)
    assert len(sides.official) > 190


def test_bounded_activations_reach_their_bounds(run_both: Callable[..., Any]) -> None:
    """Otherwise the test of the bounded network would not see a wrong bound."""
    sides = run_both(replace(SMALL, **BOUNDED), (65, 50))
    layers = [array for name, array in sides.official.items() if name.endswith(("relu6", "clip_by_value"))]
    assert len(layers) > 50
    assert max(np.max(array) for array in layers) == 6
    assert min(np.min(array) for array in layers) == -6


INVALID = [
    pytest.param(
        {"num_cells": 2, "skip_reduction_layer_input": False}, "skip_reduction", id="no-skip-and-reduction-first"
    ),
    pytest.param(
        {"skip_reduction_layer_input": False},
        "more than one reduction",
        id="no-skip-and-neighbouring-reductions",
        marks=pytest.mark.slow,
    ),
    pytest.param({"num_conv_filters": 3}, "filters", id="no-filters-in-the-stem"),
    pytest.param({"num_conv_filters": 0}, "filters", id="no-filters"),
    pytest.param({"stem_multiplier": 0.01}, "filters|stem_multiplier", id="no-stem-filters"),
    pytest.param({"num_classes": -1}, "num_classes", id="negative-classes", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("changes", "message"), INVALID)
def test_both_refuse(changes: dict[str, Any], message: str, build_official: Callable[..., Any]) -> None:
    config = replace(SMALL, **changes)
    with pytest.raises((InputError, ZeroDivisionError)):
        build_official(config, SIZE)
    with pytest.raises(ValueError, match=message):
        PNASNet(config)
