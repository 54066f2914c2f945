"""Where the way of a gradient is a matter of rounding: at elements that tie for the largest of a max-pool's window, and
at elements that a ReLU cuts on one side alone.

A max-pool hands its gradient to the largest element. Where several are equally large, as in any part of an image that
has one colour, it is nobody's rule which of them gets it, and the frameworks differ; but all together get the same. So
these are compared by their sum, and what is computed from them goes on from the official network's choice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from parity.core.policy import FLOAT64
from parity.core.result import LayerResult
from pnasnet_torch.padding import same_padding
from tf_reference.layers import Layer

# Where the ReLUs' own gradient changes.
EDGES = {"Relu": (0.0,), "Relu6": (0.0, 6.0)}
# Kernel and stride of a max-pool.
Pool = tuple[int, int]


@dataclass(frozen=True)
class Ties:
    """Of one layer's elements, by their place in the flat array (NHWC): the `members` of ties, the first member of each
    one's tie, and those that a ReLU `cut` on one side alone."""

    members: np.ndarray
    first: np.ndarray
    cut: np.ndarray

    def __bool__(self) -> bool:
        return bool(self.members.size or self.cut.size)

    def __str__(self) -> str:
        ties = len(np.unique(self.first))
        parts = [f"{self.members.size:,} elements in {ties:,} ties are compared by the sum of each"] if ties else []
        parts += [f"{self.cut.size:,} that a ReLU cuts on one side alone are left out"] if self.cut.size else []
        return "; ".join(parts)

    def summed(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient with the sum of each tie in the place of its first member, and zero in all others."""
        found = gradient.reshape(-1).copy()
        members = found[self.members]
        found[self.members] = found[self.cut] = 0
        np.add.at(found, self.first, members)
        return found.reshape(gradient.shape)

    def decided(self, gradient: np.ndarray, official: np.ndarray) -> np.ndarray:
        """The gradient, with what is a matter of rounding as the official network has it."""
        found = gradient.reshape(-1).copy()
        for places in (self.members, self.cut):
            found[places] = official.reshape(-1)[places]
        return found.reshape(gradient.shape)


def compared(
    ties: Ties | None,
    actual: np.ndarray,
    official: np.ndarray,
    compare: Callable[[np.ndarray, np.ndarray], LayerResult],
) -> tuple[LayerResult, np.ndarray | None]:
    """What `compare` says of two gradients at a layer with these `ties`; and what the gradient goes on from, if that is
    not the port's own."""
    if not ties or actual.shape != official.shape:
        return compare(actual, official), None
    result = compare(ties.summed(actual), ties.summed(official))
    return replace(result, notes=(*result.notes, str(ties))), ties.decided(actual, official)


def find_ties(actual: np.ndarray, official: np.ndarray, pools: Iterable[Pool], edges: Iterable[float]) -> Ties:
    """Of a layer's values (N, H, W, C) on both sides, of which `pools` take the largest and ReLUs cut at `edges`."""
    # Twice what either may be off by in the forward: elements that are nearer may be ordered otherwise on each side.
    tolerance = 2 * FLOAT64.relative_largest * float(np.abs(official).max(initial=0))
    pairs = [np.zeros((2, 0), np.intp)]
    for kernel, stride in pools:
        pairs += _pairs(official, kernel, stride, tolerance)
    members, first = _joined(np.concatenate(pairs, axis=1))
    cut = np.zeros(official.shape, bool)
    for edge in edges:
        one_side_alone = (actual > edge) != (official > edge)
        cut |= one_side_alone & (np.abs(official - edge) <= tolerance)
    return Ties(members, first, np.flatnonzero(cut))


def _joined(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All elements of the pairs (2, any number), and of each the first one of its tie: pairs that share an element, as
    those of windows that overlap, are one tie."""
    members, numbers = np.unique(pairs, return_inverse=True)
    links = coo_array((np.ones(pairs.shape[1], bool), numbers.reshape(pairs.shape)), shape=(members.size, members.size))
    _, tie_of = connected_components(links, directed=False)
    _, first_of_tie = np.unique(tie_of, return_index=True)
    return members, members[first_of_tie[tie_of]]


def _pairs(values: np.ndarray, kernel: int, stride: int, tolerance: float) -> Iterator[np.ndarray]:
    """Pairs (2, any number) of elements that tie in a window of a max-pool: its first one, and each."""
    sides = [(0, 0), *(same_padding(size, kernel, stride) for size in values.shape[1:3]), (0, 0)]
    padded = np.pad(values, sides, constant_values=-np.inf)
    rows, columns = (-(-size // stride) for size in values.shape[1:3])

    def of_windows(array: np.ndarray) -> Iterator[np.ndarray]:
        """Each position of the kernel: its element of all windows (N, rows, columns, C)."""
        for top in range(kernel):
            for left in range(kernel):
                shifted = array[:, top:, left:]
                yield shifted[:, : rows * stride : stride, : columns * stride : stride]

    least = np.maximum.reduce([*of_windows(padded)]) - tolerance
    count = np.zeros(least.shape, np.int8)
    for elements in of_windows(padded):
        count += elements >= least
    windows = np.nonzero(count > 1)
    if not windows[0].size:
        return
    # From here on only windows with a tie: (kernel positions, windows).
    is_member = np.stack([elements[windows] for elements in of_windows(padded)]) >= least[windows]
    places = np.pad(np.arange(values.size).reshape(values.shape), sides)
    place = np.stack([elements[windows] for elements in of_windows(places)])
    first = place[is_member.argmax(axis=0), np.arange(is_member.shape[1])]
    yield np.stack([np.broadcast_to(first, is_member.shape)[is_member], place[is_member]])


class TieFinder:
    """Finds the ties of a network's layers as they are computed; `layers` are the official graph's, and `pools` what
    its max-pools are."""

    def __init__(self, layers: Mapping[str, Layer], pools: Mapping[str, Pool]) -> None:
        self._pools: dict[str, list[Pool]] = {}
        self._edges: dict[str, set[float]] = {}
        for name, layer in layers.items():
            for feeder in layer.inputs:
                if name in pools:
                    self._pools.setdefault(feeder, []).append(pools[name])
                self._edges.setdefault(feeder, set()).update(EDGES.get(layer.kind, ()))

    def __call__(self, name: str, actual: np.ndarray, official: np.ndarray) -> Ties | None:
        """Of the layer called `name`, or none."""
        pools, edges = self._pools.get(name, []), self._edges.get(name, set())
        if not (pools or edges) or actual.shape != official.shape or official.ndim != 4:
            return None
        return find_ties(actual, official, dict.fromkeys(pools), sorted(edges)) or None
