"""Faults that square images do not show: rows and columns exchanged, one taken for the other, a map for a square."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults import sides
from parity.faults.fault import Fault, Plant, below
from parity.faults.kernels import SECOND_PATH
from parity.faults.padding import DEPTHWISE, POOL
from parity.faults.plant import Change, after, images, inputs, part, replace
from parity.faults.sides import MapPads, Pair
from parity.faults.sites import Places, Shows, Sites, halving_where
from pnasnet_torch import PNASNet
from pnasnet_torch.genotype import PNASNET_5
from pnasnet_torch.operations import SameMaxPool2d, Subsample
from tf_reference.layers import IMAGES

HALVING = {"depthwise": DEPTHWISE, "max-pool": POOL}
SUBSAMPLE = r"cell_\w+\.avg_pool(_1)?"
STRIDED_1X1 = r".*\.right\.1x1"
MEAN = "final_layer.mean"


def _of_a_cell() -> dict[str, tuple[str, ...]]:
    """The layers of every cell that look at a pixel's neighbours, and those that bring maps together."""
    names: dict[str, list[str]] = {"depthwise": [], "max-pool": [], "sum": []}
    for number, operands in enumerate(PNASNET_5.combinations):
        names["sum"].append(f"comb_iter_{number}.combine.add")
        for side, operand in zip(("left", "right"), operands, strict=True):
            branch, kernel = f"comb_iter_{number}.{side}", f"{operand.kernel}x{operand.kernel}"
            if operand.operation == "separable":
                names["depthwise"] += [f"{branch}.separable_{kernel}_{layer}.depthwise" for layer in (1, 2)]
            elif operand.operation == "max_pool":
                names["max-pool"].append(f"{branch}.max_pool")
    return {kind: tuple(layers) for kind, layers in names.items()}


OF_A_CELL = _of_a_cell()


def _unlike(pads: MapPads) -> Shows:
    """Where `pads` gives another padding than the official network's."""
    return lambda map_sides, kernel: pads(map_sides, kernel, 2) != sides.same(map_sides, kernel, 2)


def _other_parity(map_sides: Pair, _kernel: int) -> bool:
    """Where one side is even, the other odd."""
    return map_sides[0] % 2 != map_sides[1] % 2


def _other_positions(map_sides: Pair, _kernel: int) -> bool:
    """Where every second pixel has other positions in a row than in a column."""
    return range(0, map_sides[0], 2) != range(0, map_sides[1], 2)


def _oblong(map_sides: Pair, _kernel: int) -> bool:
    return map_sides[0] != map_sides[1]


def _where_oblong(site: str, feeder: str) -> Sites:
    """The one site, where what feeds it is no square."""
    return lambda places: [site] if places.oblong(feeder) else []


def _cells_of_oblong_maps(places: Places) -> list[str]:
    return [name for name in places.cells() if places.oblong(f"{name}.cell_output.concat")]


def _two_states(places: Places) -> list[str]:
    """Those cells that begin with a ReLU for each of their two inputs."""
    return [name for name in _cells_of_oblong_maps(places) if f"{name}.relu_1" in places.graph.layers]


def _padded(pads: MapPads) -> Plant:
    """A convolution or a max-pool with other padding."""

    def plant(model: PNASNet, site: str) -> None:
        module = part(model, site)
        pools = isinstance(module, SameMaxPool2d)
        kernel, stride = (module.kernel, module.stride) if pools else (module.kernel_size[0], module.stride[0])

        def forward(x: Tensor) -> Tensor:
            rows, columns = pads((x.shape[2], x.shape[3]), kernel, stride)
            padded = F.pad(x, (*columns, *rows), value=-torch.inf if pools else 0.0)
            if pools:
                return F.max_pool2d(padded, kernel, stride)
            return F.conv2d(padded, module.weight, None, stride, groups=module.groups)

        module.forward = forward

    return plant


# How many rows and columns of zeros come behind, from the number of those that are missing.
MISSING: dict[str, Callable[[int, int], Pair]] = {
    "padding of rows and columns exchanged": lambda rows, columns: (columns, rows),
    "padding of the rows for both": lambda rows, _columns: (rows, rows),
    "padding of the columns for both": lambda _rows, columns: (columns, columns),
}
# Positions of the rows and of the columns, by axis.
AXES = {"rows": 2, "columns": 3}


def _output(function: Change) -> Plant:
    return lambda model, site: after(model, site, function)


def _strided(model: PNASNet, site: str) -> None:
    forward = part(model, site).forward
    replace(model, site, lambda x: forward(sides.strided(x)))


def _second_path(missing: Callable[[int, int], Pair]) -> Plant:
    """The path that begins at the second pixel, with other zeros behind: `missing` rows and columns, of both sides."""

    def forward(x: Tensor) -> Tensor:
        rows, columns = missing(x.shape[2] % 2, x.shape[3] % 2)
        return F.pad(x[:, :, 1::2, 1::2], (0, columns, 0, rows))

    return lambda model, site: replace(model, site, forward)


def _positions_of(axis: int) -> Plant:
    """Every second row's position for the columns too, or every second column's for the rows."""

    def plant(model: PNASNet, site: str) -> None:
        module = part(model, site)
        offset = module.offset if isinstance(module, Subsample) else 0

        def forward(x: Tensor) -> Tensor:
            positions = torch.arange(0, x.shape[axis], 2)
            pixels = F.pad(x, (0, offset, 0, offset))[:, :, offset:, offset:][:, :, positions][:, :, :, positions]
            return pixels if isinstance(module, Subsample) else F.conv2d(pixels, module.weight)

        module.forward = forward

    return plant


def _states_cropped(model: PNASNet, site: str) -> None:
    inputs(model, site, lambda net, prev: (sides.cropped(net), sides.cropped(prev)))


def _image_change(function: Change) -> Plant:
    return lambda model, _site: images(model, function)


def _instead(function: Change) -> Plant:
    return lambda model, site: replace(model, site, function)


def _in_cells(kind: str, name: str, plant: Plant) -> Fault:
    """The fault in all layers of that kind in a cell."""
    layers = OF_A_CELL[kind]

    def everywhere(model: PNASNet, cell: str) -> None:
        for layer in layers:
            plant(model, f"{cell}.{layer}")

    return Fault(f"{kind}: {name}", _cells_of_oblong_maps, everywhere, at=below(*layers))


# Of the factorized reduction and of the 1x1 convolutions of stride 2.
SUBSAMPLING = {"reduction": SUBSAMPLE, "1x1 of stride 2": STRIDED_1X1}
STRIDED = "read with the stride of the rows"
ROWS_AND_COLUMNS = (
    *(
        Fault(f"{kind}: {name}", halving_where(HALVING[kind], _unlike(pads)), _padded(pads))
        for kind, (name, pads) in product(HALVING, sides.PADS.items())
    ),
    *(_in_cells(kind, name, _padded(pads)) for kind, (name, pads) in product(HALVING, sides.SIZES.items())),
    *(_in_cells(kind, name, _output(function)) for kind, (name, function) in product(OF_A_CELL, sides.MAPS.items())),
    *(_in_cells(kind, STRIDED, _strided) for kind in HALVING),
    *(
        Fault(f"reduction: second path, {name}", halving_where(SECOND_PATH, _other_parity), _second_path(missing))
        for name, missing in MISSING.items()
    ),
    *(
        Fault(
            f"{kind}: positions of the {name} for both", halving_where(pattern, _other_positions), _positions_of(axis)
        )
        for (kind, pattern), (name, axis) in product(SUBSAMPLING.items(), AXES.items())
    ),
    *(Fault(f"{kind}: {STRIDED}", halving_where(pattern, _oblong), _strided) for kind, pattern in SUBSAMPLING.items()),
    Fault("states cropped to a square", _two_states, _states_cropped, "wiring", below("relu", "relu_1")),
    *(
        Fault(f"image: {name}", _where_oblong("conv0", IMAGES), _image_change(function), "wiring")
        for name, function in sides.IMAGES.items()
    ),
    *(
        Fault(f"mean: {name}", _where_oblong(MEAN, "final_layer.relu"), _instead(function))
        for name, function in sides.MEANS.items()
    ),
)
