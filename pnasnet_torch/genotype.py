"""PNASNet-5 as frozen data: the cell, the two official networks, and the plan of cells that follows from them.

Source: tensorflow/models, research/slim/nets/nasnet/pnasnet.py and nasnet_utils.py.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Operand(NamedTuple):
    """One side of a combination: `operation` (`separable`, `max_pool` or `none`) applied to hidden state `state`.

    `kernel` is the side of the operation's window in pixels.
    """

    operation: str
    kernel: int
    state: int


@dataclass(frozen=True)
class Genotype:
    """Pairs of operands that are added; states 0 and 1 are the cell's inputs, each sum is the next state.

    `outputs` are the states that the cell's output concatenates.
    """

    combinations: tuple[tuple[Operand, Operand], ...]
    outputs: tuple[int, ...]


PNASNET_5 = Genotype(
    combinations=(
        (Operand("separable", 5, 1), Operand("max_pool", 3, 1)),
        (Operand("separable", 7, 0), Operand("max_pool", 3, 0)),
        (Operand("separable", 5, 0), Operand("separable", 3, 0)),
        (Operand("separable", 3, 4), Operand("max_pool", 3, 0)),
        (Operand("separable", 3, 1), Operand("none", 1, 0)),
    ),
    outputs=(2, 3, 4, 5, 6),
)


@dataclass(frozen=True)
class Config:
    """The official hyper-parameters that change the network; names and defaults follow `large_imagenet_config`.

    `aux_image_size` (height, width) adds the auxiliary head, whose last convolution is as large as its input: it fits
    one image size only. The released checkpoints have no such head. `num_classes` 0 leaves the pooled features.
    """

    num_cells: int = 12
    num_conv_filters: int = 216
    stem_multiplier: float = 3.0
    filter_scaling_rate: float = 2.0
    num_reduction_layers: int = 2
    skip_reduction_layer_input: bool = True
    use_bounded_activation: bool = False
    dense_dropout_keep_prob: float = 0.5
    drop_path_keep_prob: float = 0.6
    total_training_steps: int = 250_000
    num_classes: int = 1001
    aux_image_size: tuple[int, int] | None = None


class Variant(NamedTuple):
    """An official network: its configuration and the side of the square images (pixels) that it was trained on."""

    config: Config
    image_size: int


VARIANTS = {
    "large": Variant(Config(), 331),
    "mobile": Variant(
        Config(num_cells=9, num_conv_filters=54, stem_multiplier=1.0, drop_path_keep_prob=1.0), image_size=224
    ),
}


def variant(name: str) -> Variant:
    """Return the official network called `name`. Raise ValueError for an unknown one."""
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}: expected one of {', '.join(VARIANTS)}")
    return VARIANTS[name]


class Features(NamedTuple):
    """What a cell reads: channels, and how many times the map was halved since the first convolution."""

    channels: int
    halvings: int


@dataclass(frozen=True)
class CellPlan:
    """One cell of a network: its scope, the two inputs (`prev` is None in the first), filters, stride, and depth.

    `depth` counts the cells from 0, those of the stem included: drop path is the stronger the deeper.
    """

    scope: str
    net: Features
    prev: Features | None
    filters: int
    stride: int
    depth: int

    @property
    def reduces_prev(self) -> bool:
        """Whether `prev` is larger than `net`, so that a factorized reduction halves it."""
        return self.prev is not None and self.prev.halvings != self.net.halvings

    @property
    def out(self) -> Features:
        """The features of the cell's output."""
        halvings = self.net.halvings + (self.stride == 2)
        return Features(len(PNASNET_5.outputs) * self.filters, halvings)


def stem_filters(config: Config) -> int:
    """Return the number of filters of the first convolution."""
    return int(32 * config.stem_multiplier)


def reduction_cells(config: Config) -> tuple[int, ...]:
    """Return the numbers of the cells with stride 2, as the official `calc_reduction_layers` spaces them."""
    parts = config.num_reduction_layers + 1
    # Divided before it is multiplied, and rounded down, as there: in another order some numbers differ by one.
    return tuple(int(float(part) / parts * config.num_cells) for part in range(1, parts))


def aux_cell(config: Config) -> int | None:
    """Return the number of the cell behind which the auxiliary head sits.

    It is the one before the second reduction; None where the official network has no place for a head.
    """
    reductions = reduction_cells(config)
    if len(reductions) > 1 and reductions[1] > 0:
        return reductions[1] - 1
    return None


def _check(config: Config) -> None:
    """Raise ValueError, naming the hyper-parameter and what it may be, for one outside its range."""
    at_least = {"num_cells": 1, "num_classes": 0, "num_reduction_layers": 0, "total_training_steps": 1}
    for name, least in at_least.items():
        if getattr(config, name) < least:
            raise ValueError(f"{name} {getattr(config, name)}: expected at least {least}")
    for name in ("dense_dropout_keep_prob", "drop_path_keep_prob"):
        if not 0 < getattr(config, name) <= 1:
            raise ValueError(f"{name} {getattr(config, name)}: expected more than 0 and at most 1")
    if config.filter_scaling_rate <= 0:
        raise ValueError(f"filter_scaling_rate {config.filter_scaling_rate}: expected more than 0")


def plan_cells(config: Config) -> tuple[tuple[CellPlan, int | None], ...]:
    """Return all cells in order, each with the index of the output that is its `prev`; None for the first cell.

    Outputs are counted from 0, the first convolution's. Raise ValueError for a configuration that the official code
    cannot build either.
    """
    _check(config)
    reductions = reduction_cells(config)
    outputs = [Features(stem_filters(config), 0)]
    plans: list[tuple[CellPlan, int | None]] = []
    # The two cells of the stem come up to the scaling of the cells behind them.
    scaling = 1.0 / config.filter_scaling_rate**2
    for depth in range(config.num_cells + 2):
        number = depth - 2
        is_stem = number < 0
        stride = 2 if is_stem or number in reductions else 1
        if number == 0:
            # Exactly, as in the official code: the products of the stem are rounded.
            scaling = 1.0
        if number in reductions:
            scaling *= config.filter_scaling_rate
        # Otherwise `prev` stays that of the cell before, as the official variable does.
        if is_stem or config.skip_reduction_layer_input or stride == 1:
            prev = depth - 1 if depth else None
        elif number == 0:
            raise ValueError("skip_reduction_layer_input=False needs a first cell that is no reduction: add cells")
        scope = f"cell_stem_{depth}" if is_stem else f"cell_{number}"
        prev_features = None if prev is None else outputs[prev]
        filters = int(config.num_conv_filters * scaling)
        plan = CellPlan(scope, outputs[-1], prev_features, filters, stride, depth)
        _check_plan(plan, outputs[0].channels)
        plans.append((plan, prev))
        outputs.append(plan.out)
        if is_stem:
            scaling *= config.filter_scaling_rate
    return tuple(plans)


def _check_plan(plan: CellPlan, stem_channels: int) -> None:
    """Raise ValueError for a cell that cannot be built, behind a first convolution of so many channels."""
    # A factorized reduction has two convolutions, each of which needs a filter.
    if plan.filters < 1 + plan.reduces_prev or stem_channels < 1:
        raise ValueError(f"{plan.scope}: too few filters ({plan.filters}): raise num_conv_filters or stem_multiplier")
    # Such a reduction halves a map once.
    if plan.prev is not None and plan.net.halvings - plan.prev.halvings > 1:
        raise ValueError(f"{plan.scope}: its two inputs differ by more than one reduction; the official code fails too")


def map_side(pixels: int, halvings: int) -> int:
    """Return a side of the map that was halved so many times since the first convolution, for images with `pixels`."""
    # The first convolution has padding VALID, kernel 3 and stride 2; SAME, behind it, rounds up.
    side = (pixels - 3) // 2 + 1
    for _ in range(halvings):
        side = -(-side // 2)
    return side


def minimum_size(config: Config) -> tuple[int, int]:
    """Return the least image height and width (pixels).

    The official code finds out by the width alone whether a map was halved, so the width has to be more than one pixel
    before each reduction that another cell follows; for the height, the first convolution's 3 pixels are enough.
    """
    halvings = 2 + len(set(reduction_cells(config)) - {config.num_cells - 1})
    return 3, 2**halvings + 3
