"""Where a fault can be: the layers of an official graph, by what they are and by the maps that they work on."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pnasnet_torch.genotype import plan_cells, variant
from tf_reference.graph import ReferenceGraph
from tf_reference.layers import IMAGES, Layer

Sites = Callable[["Places"], list[str]]


@dataclass(frozen=True)
class Places:
    """The layers and cells of an official network."""

    graph: ReferenceGraph

    def sides(self, name: str) -> tuple[int, int]:
        """Rows and columns of the layer's map."""
        spec = self.graph.spec
        _, rows, columns = (1, spec.height, spec.width) if name == IMAGES else self.graph.layers[name].shape[:3]
        return rows or 0, columns or 0

    def layers(self, pattern: str, where: Callable[[Layer], bool] = lambda _layer: True) -> list[str]:
        """The layers whose whole name `pattern` matches, in the network's order."""
        rows = self.graph.layers.values()
        return [row.name for row in rows if re.fullmatch(pattern, row.name) and where(row)]

    def halving(self, pattern: str, even: bool | None = None) -> list[str]:
        """Those of them that halve a map; only those of which both sides are even, or both odd."""

        def where(row: Layer) -> bool:
            sides, halves = self.sides(row.inputs[0]), self.sides(row.name)
            halved = all(half == -(-side // 2) < side for side, half in zip(sides, halves, strict=True))
            return halved and (even is None or all((side % 2 == 0) == even for side in sides))

        return self.layers(pattern, where)

    def keeping(self, pattern: str, least: int = 2) -> list[str]:
        """Those of them that keep the size of a map of at least so many rows."""
        return self.layers(
            pattern,
            lambda row: self.sides(row.inputs[0]) == self.sides(row.name) and min(self.sides(row.name)) >= least,
        )

    def oblong(self, name: str) -> bool:
        """Whether the layer's map has not as many rows as columns."""
        rows, columns = self.sides(name)
        return rows != columns

    def cells(self, where: str = "any") -> list[str]:
        """The cells; only those whose two inputs are of `same` shape, or that are a `reduction`, or `normal`."""
        rows = []
        for plan, _ in plan_cells(variant(self.graph.spec.variant).config):
            same = plan.prev is not None and plan.prev == plan.net
            kinds = {"any", "reduction" if plan.stride == 2 else "normal"} | ({"same"} if same else set())
            if where in kinds:
                rows.append(plan.scope)
        return rows

    def channels(self, name: str) -> int:
        return self.graph.layers[name].shape[-1] or 0


# Whether a fault shows on a map of so many rows and columns, by the layer's kernel.
Shows = Callable[[tuple[int, int], int], bool]


def halving_where(pattern: str, shows: Shows) -> Sites:
    """Finds the layers that halve a map on which the fault shows."""

    def where(places: Places) -> list[str]:
        found = []
        for site in places.halving(pattern):
            kernel = re.search(r"separable_(\d)", site)
            if shows(places.sides(places.graph.layers[site].inputs[0]), int(kernel[1]) if kernel else 3):
                found.append(site)
        return found

    return where


def spread(sites: list[str], count: int, turn: int) -> list[str]:
    """Up to `count` of them, in the order first, last, middle, begun at place `turn` of it."""
    if count >= len(sites):
        return sites
    order = [sites[0], sites[-1], sites[len(sites) // 2]]
    return [order[(turn + number) % len(order)] for number in range(count)]
