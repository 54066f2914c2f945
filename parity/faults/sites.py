"""Where a fault can be: the layers of an official graph, by what they are and by the maps that they work on.

A side is a map's number of rows or of columns (pixels).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pnasnet_torch.genotype import plan_cells, variant
from tf_reference.graph import ReferenceGraph
from tf_reference.layers import IMAGES

Sites = Callable[["Places"], list[str]]


@dataclass(frozen=True)
class Places:
    """The layers and cells of an official network, in the network's order."""

    graph: ReferenceGraph

    def sides(self, name: str) -> tuple[int, int]:
        """Return the rows and columns of the layer's map, or of the images."""
        if name == IMAGES:
            return self.graph.spec.height, self.graph.spec.width
        # NHWC; None, the type of an open dimension, is the number of images alone.
        rows, columns = self.graph.layers[name].shape[1:3]
        return rows or 0, columns or 0

    def layers(self, pattern: str) -> list[str]:
        """Return the layers whose whole name `pattern` matches."""
        return [name for name in self.graph.layers if re.fullmatch(pattern, name)]

    def feeder(self, name: str) -> str:
        """Return the first layer that feeds a layer, or `images`."""
        return self.graph.layers[name].inputs[0]

    def halving(self, pattern: str, even: bool | None = None) -> list[str]:
        """Return the layers of a pattern that halve a map; only maps of which both sides are `even`, or both odd."""
        return [name for name in self.layers(pattern) if self._halves(name, even)]

    def _halves(self, name: str, even: bool | None) -> bool:
        """Return whether a layer halves a map; unless `even` is None, one with both sides even, or both odd."""
        sides = self.sides(self.feeder(name))
        halves = self.sides(name)
        for side, half in zip(sides, halves, strict=True):
            # SAME padding gives the half of an odd side rounded up. One pixel stays one: it is not halved.
            if half != -(-side // 2) or side < 2:
                return False
            if even is not None and (side % 2 == 0) != even:
                return False
        return True

    def keeping(self, pattern: str, least: int = 2) -> list[str]:
        """Return the layers of a pattern that keep the size of a map, none of whose sides is less than `least`."""
        names = []
        for name in self.layers(pattern):
            sides = self.sides(name)
            if sides == self.sides(self.feeder(name)) and min(sides) >= least:
                names.append(name)
        return names

    def oblong(self, name: str) -> bool:
        """Return whether the layer's map has not as many rows as columns."""
        rows, columns = self.sides(name)
        return rows != columns

    def cells(self, where: str = "any") -> list[str]:
        """Return the scopes of the cells.

        Other than `any`, `where` is `same` (cells whose two inputs are of the same shape) or `normal` (of stride 1).
        """
        scopes = []
        for plan, _ in plan_cells(variant(self.graph.spec.variant).config):
            kinds = {"any"}
            if plan.stride == 1:
                kinds.add("normal")
            if plan.prev == plan.net:
                kinds.add("same")
            if where in kinds:
                scopes.append(plan.scope)
        return scopes

    def channels(self, name: str) -> int:
        """Return the number of the layer's channels."""
        return self.graph.layers[name].shape[-1] or 0

    def keeps_channels(self, name: str) -> bool:
        """Return whether the layer has as many channels as what feeds it."""
        return self.channels(name) == self.channels(self.feeder(name))


# Whether a fault shows on a map of so many rows and columns, by the layer's kernel.
Shows = Callable[[tuple[int, int], int], bool]


def halving_where(pattern: str, shows: Shows) -> Sites:
    """Return a function that finds the layers that halve a map on which the fault shows."""
    return partial(_halving_where, pattern=pattern, shows=shows)


def _halving_where(places: Places, pattern: str, shows: Shows) -> list[str]:
    """Return the layers that halve a map on which the fault shows."""
    sites = []
    for site in places.halving(pattern):
        # Only separable convolutions have kernels of several sizes; all max-pools have one of 3.
        separable = re.search(r"separable_(\d)", site)
        kernel = int(separable[1]) if separable else 3
        if shows(places.sides(places.feeder(site)), kernel):
            sites.append(site)
    return sites


def other_parity(map_sides: tuple[int, int], _kernel: int) -> bool:
    """Return whether one side is even and the other odd."""
    return map_sides[0] % 2 != map_sides[1] % 2


def other_positions(map_sides: tuple[int, int], _kernel: int) -> bool:
    """Return whether every second pixel has other positions in a row than in a column."""
    return range(0, map_sides[0], 2) != range(0, map_sides[1], 2)


def no_square(map_sides: tuple[int, int], _kernel: int) -> bool:
    """Return whether a map is no square."""
    return map_sides[0] != map_sides[1]


def where_oblong(site: str, feeder: str) -> Sites:
    """Return a function that gives the one site where the map that feeds it is no square, and else none."""
    return lambda places: [site] if places.oblong(feeder) else []


def cells_of_oblong_maps(places: Places) -> list[str]:
    """Return the cells whose output is no square."""
    return [name for name in places.cells() if places.oblong(f"{name}.cell_output.concat")]


def spread(sites: list[str], count: int, turn: int) -> list[str]:
    """Return up to `count` of the sites, in the order first, last, middle, begun at place `turn` of that order."""
    if count >= len(sites):
        return sites
    # By turns, so that faults that are each tried at one site are not all tried at the first.
    order = [sites[0], sites[-1], sites[len(sites) // 2]]
    return [order[(turn + number) % len(order)] for number in range(count)]
