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
NO_PAIRS = np.zeros((2, 0), np.intp)


@dataclass(frozen=True)
class Ties:
    """One layer's elements whose gradient is a matter of rounding, by their place in the flat array (NHWC).

    `members` are the elements of all ties, and `first` (of the same shape) has for each of them the first member of its
    tie. `cut` are the elements that a ReLU cuts on one side alone.
    """

    members: np.ndarray
    first: np.ndarray
    cut: np.ndarray

    def __bool__(self) -> bool:
        return bool(self.members.size or self.cut.size)

    def __str__(self) -> str:
        ties = len(np.unique(self.first))
        sentences = []
        if ties:
            sentences.append(f"{self.members.size:,} elements in {ties:,} ties are compared by the sum of each")
        if self.cut.size:
            sentences.append(f"{self.cut.size:,} that a ReLU cuts on one side alone are left out")
        return "; ".join(sentences)

    def summed(self, gradient: np.ndarray) -> np.ndarray:
        """Return a copy of the gradient, with each tie's sum in the place of its first member.

        The other members are zero there, and so is what a ReLU cuts on one side alone. So everything else is compared
        as it is, and the shape stays that of the layer.
        """
        flat = gradient.reshape(-1).copy()
        member_gradients = flat[self.members]
        flat[self.members] = 0
        flat[self.cut] = 0
        # Not +=, which adds only one of several members that have the same first one.
        np.add.at(flat, self.first, member_gradients)
        return flat.reshape(gradient.shape)

    def decided(self, gradient: np.ndarray, official: np.ndarray) -> np.ndarray:
        """Return a copy of the gradient, with what is a matter of rounding as the `official` one has it."""
        flat = gradient.reshape(-1).copy()
        official_flat = official.reshape(-1)
        flat[self.members] = official_flat[self.members]
        flat[self.cut] = official_flat[self.cut]
        return flat.reshape(gradient.shape)


def compared(
    ties: Ties | None,
    actual: np.ndarray,
    official: np.ndarray,
    compare: Callable[[np.ndarray, np.ndarray], LayerResult],
) -> tuple[LayerResult, np.ndarray | None]:
    """Return the result of `compare` on two gradients at a layer with these `ties`, and what the gradient goes on from.

    That is None where it goes on from the candidate's own.
    """
    # Gradients of different shapes fail as they are: places in one say nothing of the other.
    if not ties or actual.shape != official.shape:
        return compare(actual, official), None
    result = compare(ties.summed(actual), ties.summed(official))
    # The candidate goes on from the official choice, or everything in front would differ by what is nobody's rule.
    return replace(result, notes=(*result.notes, str(ties))), ties.decided(actual, official)


def find_ties(actual: np.ndarray, official: np.ndarray, pools: Iterable[Pool], edges: Iterable[float]) -> Ties:
    """Return the ties in a layer's values (N, H, W, C), which `pools` take the largest of and ReLUs cut at `edges`.

    Of pools they are found from the `official` values, of ReLUs from both sides' values.
    """
    # Twice what either may be off by in the forward: elements that are nearer may be ordered otherwise on each side.
    tolerance = 2 * FLOAT64.relative_largest * float(np.abs(official).max(initial=0))
    # Begins with no pair, so that there is something to put together where only ReLUs take the layer.
    pairs = [NO_PAIRS]
    for kernel, stride in pools:
        pairs.append(_pairs(official, kernel, stride, tolerance))
    members, first = _joined(np.concatenate(pairs, axis=1))
    cut = np.zeros(official.shape, bool)
    for edge in edges:
        one_side_alone = (actual > edge) != (official > edge)
        # Only at the edge itself: an element that is further from it is on the wrong side by more than rounding.
        cut |= one_side_alone & (np.abs(official - edge) <= tolerance)
    return Ties(members, first, np.flatnonzero(cut))


def _joined(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all elements of the pairs (2, any number), and for each of them the first one of its tie.

    Pairs that share an element, as those of windows that overlap, are one tie: the gradients of both windows may meet
    in that element, or go to different ones.
    """
    # Numbered without gaps: the matrix of links is as large as the ties are, and not as the layer is.
    members, numbers = np.unique(pairs, return_inverse=True)
    numbers = numbers.reshape(pairs.shape)
    links = coo_array((np.ones(pairs.shape[1], bool), numbers), shape=(members.size, members.size))
    _, tie_of = connected_components(links, directed=False)
    # Members are sorted, so that where a tie first occurs is its first element.
    _, first_of_tie = np.unique(tie_of, return_index=True)
    return members, members[first_of_tie[tie_of]]


def _pairs(values_nhwc: np.ndarray, kernel: int, stride: int, tolerance: float) -> np.ndarray:
    """Return pairs (2, any number) of elements that tie in a window of a max-pool: its first member, and each member.

    Elements are called by their places in the flat array.
    """
    _, height, width, _ = values_nhwc.shape
    padding = [(0, 0), same_padding(height, kernel, stride), same_padding(width, kernel, stride), (0, 0)]
    # As the max-pool itself pads: what is added is never the largest, and so no member.
    padded = np.pad(values_nhwc, padding, constant_values=-np.inf)
    outputs = (-(-height // stride), -(-width // stride))
    least = np.full((len(values_nhwc), *outputs, values_nhwc.shape[3]), -np.inf, values_nhwc.dtype)
    # One position after the other: all of them at once would take as many maps' memory.
    for position in _of_windows(padded, kernel, stride, outputs):
        np.maximum(least, position, out=least)
    least -= tolerance
    # A kernel's positions are few enough for 8 bits, and this has an element for each window.
    count = np.zeros(least.shape, np.int8)
    for position in _of_windows(padded, kernel, stride, outputs):
        count += position >= least
    windows = np.nonzero(count > 1)
    if not windows[0].size:
        return NO_PAIRS
    # From here on only windows with a tie, which are few: (kernel positions, windows).
    elements = np.stack([position[windows] for position in _of_windows(padded, kernel, stride, outputs)])
    is_member = elements >= least[windows]
    # The place of each element; that of the padding does not matter, since it is no member.
    places = np.pad(np.arange(values_nhwc.size).reshape(values_nhwc.shape), padding)
    place = np.stack([position[windows] for position in _of_windows(places, kernel, stride, outputs)])
    # argmax finds the first member of each window.
    first = place[is_member.argmax(axis=0), np.arange(is_member.shape[1])]
    return np.stack([np.broadcast_to(first, is_member.shape)[is_member], place[is_member]])


def _of_windows(padded: np.ndarray, kernel: int, stride: int, outputs: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield for each position of the kernel its element of all windows (N, rows, columns, C), as a view.

    `padded` (N, H, W, C) is what the windows lie in, `outputs` are their rows and columns.
    """
    rows, columns = outputs
    for top in range(kernel):
        for left in range(kernel):
            shifted = padded[:, top:, left:]
            yield shifted[:, : rows * stride : stride, : columns * stride : stride]


class TieFinder:
    """Finds the ties of a network's layers as they are computed.

    `layers` are the official graph's, and `pools` what its max-pools are, by name.
    """

    def __init__(self, layers: Mapping[str, Layer], pools: Mapping[str, Pool]) -> None:
        self._pools: dict[str, list[Pool]] = {}
        self._edges: dict[str, set[float]] = {}
        for name, layer in layers.items():
            for feeder in layer.inputs:
                if name in pools:
                    self._pools.setdefault(feeder, []).append(pools[name])
                self._edges.setdefault(feeder, set()).update(EDGES.get(layer.kind, ()))

    def __call__(self, name: str, actual: np.ndarray, official: np.ndarray) -> Ties | None:
        """Return the ties of the layer called `name`, from its values on both sides (NHWC); None if it has none."""
        pools = self._pools.get(name, [])
        edges = self._edges.get(name, set())
        if not pools and not edges:
            return None
        # Another shape fails the forward by itself, and only maps have windows.
        if actual.shape != official.shape or official.ndim != 4:
            return None
        # Several max-pools of one kind have the same ties: each kind is looked for once.
        return find_ties(actual, official, dict.fromkeys(pools), sorted(edges)) or None
