"""The plan of cells that follows from a configuration."""

from dataclasses import replace

import pytest

from pnasnet_torch import VARIANTS, Config, PNASNet, variant
from pnasnet_torch.genotype import PNASNET_5, aux_cell, minimum_size, plan_cells, reduction_cells, stem_filters

# scope, channels of net and of prev (None: none), halvings of both, filters, stride
LARGE = [
    ("cell_stem_0", 96, None, 0, None, 54, 2),
    ("cell_stem_1", 270, 96, 1, 0, 108, 2),
    ("cell_0", 540, 270, 2, 1, 216, 1),
    ("cell_1", 1080, 540, 2, 2, 216, 1),
    ("cell_2", 1080, 1080, 2, 2, 216, 1),
    ("cell_3", 1080, 1080, 2, 2, 216, 1),
    ("cell_4", 1080, 1080, 2, 2, 432, 2),
    ("cell_5", 2160, 1080, 3, 2, 432, 1),
    ("cell_6", 2160, 2160, 3, 3, 432, 1),
    ("cell_7", 2160, 2160, 3, 3, 432, 1),
    ("cell_8", 2160, 2160, 3, 3, 864, 2),
    ("cell_9", 4320, 2160, 4, 3, 864, 1),
    ("cell_10", 4320, 4320, 4, 4, 864, 1),
    ("cell_11", 4320, 4320, 4, 4, 864, 1),
]
MOBILE = [
    ("cell_stem_0", 32, None, 0, None, 13, 2),
    ("cell_stem_1", 65, 32, 1, 0, 27, 2),
    ("cell_0", 135, 65, 2, 1, 54, 1),
    ("cell_1", 270, 135, 2, 2, 54, 1),
    ("cell_2", 270, 270, 2, 2, 54, 1),
    ("cell_3", 270, 270, 2, 2, 108, 2),
    ("cell_4", 540, 270, 3, 2, 108, 1),
    ("cell_5", 540, 540, 3, 3, 108, 1),
    ("cell_6", 540, 540, 3, 3, 216, 2),
    ("cell_7", 1080, 540, 4, 3, 216, 1),
    ("cell_8", 1080, 1080, 4, 4, 216, 1),
]
PLANS = {"large": LARGE, "mobile": MOBILE}


@pytest.mark.parametrize("name", VARIANTS)
def test_plan_of_the_official_networks(name: str) -> None:
    rows = []
    for plan, _ in plan_cells(variant(name).config):
        prev = plan.prev or (None, None)
        rows.append((plan.scope, plan.net[0], prev[0], plan.net[1], prev[1], plan.filters, plan.stride))
    assert rows == PLANS[name]


@pytest.mark.parametrize("name", VARIANTS)
def test_prev_is_the_output_before_the_last_and_depth_counts_from_the_stem(name: str) -> None:
    for depth, (plan, prev) in enumerate(plan_cells(variant(name).config)):
        assert plan.depth == depth
        assert prev == (depth - 1 if depth else None)


@pytest.mark.parametrize(("name", "reductions", "aux"), [("large", (4, 8), 7), ("mobile", (3, 6), 5)])
def test_reductions_and_auxiliary_head(name: str, reductions: tuple[int, ...], aux: int) -> None:
    config = variant(name).config
    assert reduction_cells(config) == reductions
    assert aux_cell(config) == aux


@pytest.mark.parametrize(
    ("cells", "layers", "reductions", "aux"),
    [
        (12, 0, (), None),
        (12, 1, (6,), None),
        (12, 3, (3, 6, 9), 5),
        (7, 2, (2, 4), 3),
        (2, 3, (0, 1, 1), 0),
        (1, 2, (0, 0), None),
    ],
)
def test_reductions_are_spaced_evenly_and_rounded_down(
    cells: int, layers: int, reductions: tuple[int, ...], aux: int | None
) -> None:
    config = Config(num_cells=cells, num_reduction_layers=layers)
    assert reduction_cells(config) == reductions
    assert aux_cell(config) == aux


@pytest.mark.parametrize(
    ("config", "width"),
    [
        pytest.param(Config(), 19, id="large"),
        pytest.param(Config(num_reduction_layers=1), 11, id="one-reduction"),
        pytest.param(Config(num_reduction_layers=3), 35, id="three-reductions"),
        pytest.param(Config(num_cells=2, num_reduction_layers=3), 11, id="a-reduction-in-the-last-cell"),
    ],
)
def test_minimum_size_doubles_with_each_reduction(config: Config, width: int) -> None:
    assert minimum_size(config) == (3, width)


@pytest.mark.parametrize(("filters", "halves"), [(13, (6, 7)), (27, (13, 14))])
def test_odd_filters_give_the_second_path_one_more(filters: int, halves: tuple[int, int]) -> None:
    config = Config(num_cells=3, num_conv_filters=2 * filters, stem_multiplier=0.25, num_classes=0)
    assert plan_cells(config)[1][0].filters == filters
    state = PNASNet(config).state_dict()
    paths = [state[f"cell_stem_1.path{number}_conv.weight"] for number in (1, 2)]
    assert tuple(len(path) for path in paths) == halves


@pytest.mark.parametrize(("multiplier", "filters"), [(3.0, 96), (1.0, 32), (0.7, 22)])
def test_stem_filters_are_rounded_down(multiplier: float, filters: int) -> None:
    assert stem_filters(Config(stem_multiplier=multiplier)) == filters


def test_without_skipping_a_reduction_keeps_the_previous_cells_input() -> None:
    plans = plan_cells(Config(skip_reduction_layer_input=False))
    assert [prev for _, prev in plans] == [None, 0, 1, 2, 3, 4, 4, 6, 7, 8, 8, 10, 11, 12]


def test_genotype_reads_only_states_that_exist_and_returns_every_sum() -> None:
    for number, operands in enumerate(PNASNET_5.combinations):
        assert all(operand.state < 2 + number for operand in operands)
    assert PNASNET_5.outputs == (2, 3, 4, 5, 6)


def test_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown variant 'nasnet': expected one of large, mobile"):
        variant("nasnet")


BAD = Config(num_cells=3, num_conv_filters=8, stem_multiplier=0.25)
UNSOUND = [
    pytest.param(
        replace(BAD, skip_reduction_layer_input=False, num_cells=2), "first cell that is no reduction", id="no-prev"
    ),
    pytest.param(
        replace(BAD, skip_reduction_layer_input=False), "cell_2: .* more than one reduction", id="two-reductions"
    ),
    pytest.param(
        replace(BAD, aux_image_size=(64, 64)), "64x64 pixels are too small for the auxiliary", id="aux-too-small"
    ),
    pytest.param(
        replace(BAD, aux_image_size=(224, 64)), "224x64 pixels are too small for the auxiliary", id="aux-too-narrow"
    ),
    pytest.param(
        replace(BAD, aux_image_size=(224, 224), num_reduction_layers=1),
        "no place for an auxiliary head",
        id="aux-without-place",
    ),
]


@pytest.mark.parametrize(("config", "message"), UNSOUND)
def test_unsound_configuration_is_refused(config: Config, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PNASNet(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_cells", -1),
        ("num_classes", -1),
        ("num_reduction_layers", -1),
        ("total_training_steps", 0),
        ("drop_path_keep_prob", 2.0),
        ("dense_dropout_keep_prob", 0.0),
        ("filter_scaling_rate", 0.0),
    ],
)
def test_a_hyper_parameter_outside_its_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} {value}: expected"):
        plan_cells(replace(Config(), **{name: value}))  # type: ignore[arg-type]
