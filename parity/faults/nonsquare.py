"""Faults that square images do not show: rows and columns exchanged, one taken for the other, a map for a square."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults import sides
from parity.faults.fault import Fault, below
from parity.faults.padding import DEPTHWISE, POOL, padded_map
from parity.faults.plant import Plant, followed_by, inputs, part, replace, replaced_by, with_images
from parity.faults.reduction import SECOND_PATH
from parity.faults.sides import MapPads, Pair
from parity.faults.sites import (
    Places,
    Shows,
    cells_of_oblong_maps,
    halving_where,
    no_square,
    other_parity,
    other_positions,
    where_oblong,
)
from pnasnet_torch import PNASNet
from pnasnet_torch.genotype import PNASNET_5
from pnasnet_torch.operations import Subsample
from tf_reference.layers import IMAGES

HALVING = {"depthwise": DEPTHWISE, "max-pool": POOL}
# Of the factorized reduction and of the 1x1 convolutions of stride 2.
SUBSAMPLING = {"reduction": r"cell_\w+\.avg_pool(_1)?", "1x1 of stride 2": r".*\.right\.1x1"}
MEAN = "final_layer.mean"
STRIDED = "read with the stride of the rows"
# How many rows and columns of zeros come behind, from the number of those that are missing.
MISSING: dict[str, Callable[[int, int], Pair]] = {
    "padding of rows and columns exchanged": lambda rows, columns: (columns, rows),
    "padding of the rows for both": lambda rows, _columns: (rows, rows),
    "padding of the columns for both": lambda _rows, columns: (columns, columns),
}
# Positions of the rows and of the columns, by axis (N, C, H, W).
AXES = {"rows": 2, "columns": 3}


def _of_a_cell() -> dict[str, tuple[str, ...]]:
    """Return the layers of every cell that look at a pixel's neighbours, and those that bring maps together."""
    names: dict[str, list[str]] = {"depthwise": [], "max-pool": [], "sum": []}
    for number, operands in enumerate(PNASNET_5.combinations):
        names["sum"].append(f"comb_iter_{number}.combine.add")
        for side, operand in zip(("left", "right"), operands, strict=True):
            branch = f"comb_iter_{number}.{side}"
            separable = f"{branch}.separable_{operand.kernel}x{operand.kernel}"
            if operand.operation == "separable":
                names["depthwise"] += [f"{separable}_1.depthwise", f"{separable}_2.depthwise"]
            elif operand.operation == "max_pool":
                names["max-pool"].append(f"{branch}.max_pool")
    return {kind: tuple(layers) for kind, layers in names.items()}


OF_A_CELL = _of_a_cell()


def _unlike(pads: MapPads) -> Shows:
    """Return a function that tells where `pads` gives another padding than the official network's."""
    return lambda map_sides, kernel: pads(map_sides, kernel, 2) != sides.same(map_sides, kernel, 2)


def _two_states(places: Places) -> list[str]:
    """Return the cells whose output is no square and that begin with a ReLU for each of their two inputs."""
    return [name for name in cells_of_oblong_maps(places) if f"{name}.relu_1" in places.graph.layers]


def _strided(model: PNASNet, site: str) -> None:
    """Make a layer read its input with the stride of the rows."""
    forward = part(model, site).forward
    replace(model, site, lambda x: forward(sides.strided(x)))


def _second_path(missing: Callable[[int, int], Pair]) -> Plant:
    """Return a plant that puts other zeros behind the path that begins at the second pixel.

    `missing` gives their rows and columns, from the numbers of those that are missing.
    """

    def forward(x: Tensor) -> Tensor:
        """Return every second pixel of x (N, C, H, W), from the second."""
        # An odd side has one pixel less from the second on than from the first.
        rows, columns = missing(x.shape[2] % 2, x.shape[3] % 2)
        return F.pad(x[:, :, 1::2, 1::2], (0, columns, 0, rows))

    return replaced_by(forward)


def _positions_of(axis: int) -> Plant:
    """Return a plant that takes one side's positions of every second pixel for both, those along `axis`."""
    return partial(_take_positions, axis=axis)


def _take_positions(model: PNASNet, site: str, axis: int) -> None:
    """Take one side's positions of every second pixel for both, those along `axis`."""
    module = part(model, site)
    offset = module.offset if isinstance(module, Subsample) else 0

    def forward(x: Tensor) -> Tensor:
        """Return every second pixel of x (N, C, H, W), or their 1x1 convolution."""
        positions = torch.arange(0, x.shape[axis], 2)
        # The path that begins at the second pixel has zeros behind the last.
        shifted = F.pad(x, (0, offset, 0, offset))[:, :, offset:, offset:]
        pixels = shifted[:, :, positions][:, :, :, positions]
        if isinstance(module, Subsample):
            return pixels
        return F.conv2d(pixels, module.weight)

    module.forward = forward


def _states_cropped(model: PNASNet, site: str) -> None:
    """Give a cell its two inputs cropped to squares."""
    inputs(model, site, lambda net, prev: (sides.cropped(net), sides.cropped(prev)))


def _in_cells(kind: str, name: str, plant: Plant) -> Fault:
    """Return the fault of all layers of that kind in a cell."""
    layers = OF_A_CELL[kind]

    def everywhere(model: PNASNet, cell: str) -> None:
        """Plant it in all layers of that kind at once: of one alone, the sum behind it would get maps of two shapes."""
        for layer in layers:
            plant(model, f"{cell}.{layer}")

    return Fault(f"{kind}: {name}", cells_of_oblong_maps, everywhere, at=below(*layers))


def _paddings() -> Iterator[Fault]:
    """Yield the faults of padding, at each layer of stride 2."""
    for kind, pattern in HALVING.items():
        for name, pads in sides.PADS.items():
            yield Fault(f"{kind}: {name}", halving_where(pattern, _unlike(pads)), padded_map(pads))


def _faults_of_cells() -> Iterator[Fault]:
    """Yield the faults of all layers of a kind in a cell."""
    for kind in HALVING:
        for name, pads in sides.SIZES.items():
            yield _in_cells(kind, name, padded_map(pads))
    for kind in OF_A_CELL:
        for name, function in sides.MAPS.items():
            yield _in_cells(kind, name, followed_by(function))
    for kind in HALVING:
        yield _in_cells(kind, STRIDED, _strided)


def _faults_of_subsampling() -> Iterator[Fault]:
    """Yield the faults of layers that take every second pixel."""
    for name, missing in MISSING.items():
        yield Fault(f"reduction: second path, {name}", halving_where(SECOND_PATH, other_parity), _second_path(missing))
    for kind, pattern in SUBSAMPLING.items():
        for name, axis in AXES.items():
            sites = halving_where(pattern, other_positions)
            yield Fault(f"{kind}: positions of the {name} for both", sites, _positions_of(axis))
    for kind, pattern in SUBSAMPLING.items():
        yield Fault(f"{kind}: {STRIDED}", halving_where(pattern, no_square), _strided)


def _faults_of_ends() -> Iterator[Fault]:
    """Yield the faults of the images, and of the last map's mean."""
    where = where_oblong("conv0", IMAGES)
    for name, function in sides.IMAGES.items():
        yield Fault(f"image: {name}", where, with_images(function), kind="wiring")
    for name, function in sides.MEANS.items():
        yield Fault(f"mean: {name}", where_oblong(MEAN, "final_layer.relu"), replaced_by(function))


ROWS_AND_COLUMNS = (
    *_paddings(),
    *_faults_of_cells(),
    *_faults_of_subsampling(),
    Fault("states cropped to a square", _two_states, _states_cropped, kind="wiring", at=below("relu", "relu_1")),
    *_faults_of_ends(),
)
