"""What a report keeps of the arrays while a run judges them."""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.report.measure import POINTS, Closeup, Histogram, Points, closeup, histogram, points, sampled
from tf_reference.layers import Layer

# Of each network and gate so many of the worst layers, and so many culprits, are kept with pictures.
PICTURED = 20
SOURCES = 40


@dataclass(frozen=True)
class Observation:
    """What is kept of one layer in one gate: of its worst image, if there are several."""

    margin: float
    size: int
    histogram: Histogram
    points: Points
    closeup: Closeup | None = None


class Collector:
    """Observes each judged layer, as ParitySession lets it, by network and gate.

    Layers that are identical to the last bit in the exact gates leave nothing to keep. Pictures are kept of the layers
    with the largest margins, and of those that fail while none of their feeders does: the verdict's culprits will be
    among them.
    """

    def __init__(self) -> None:
        self.observations: defaultdict[tuple[str, str], dict[str, Observation]] = defaultdict(dict)
        # The session's own, which it fills.
        self.layers: Mapping[Network, Mapping[str, Layer]] = {}
        self._failed: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._sources: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        # The layers with pictures, the one to be dropped next first: by margin, the later one of equal ones.
        self._pictured: defaultdict[tuple[str, str], list[tuple[float, int, str]]] = defaultdict(list)

    def __call__(self, result: LayerResult, actual: np.ndarray, expected: np.ndarray) -> None:
        key, layer = (result.network, result.gate), result.layer
        before = self.observations[key].get(layer)
        is_source = not result and self._is_source(key, layer)
        if actual.shape != expected.shape or not expected.size or (before and before.margin >= result.margin):
            return
        if result.gate.startswith("exact") and result:
            return
        sample, truth = sampled(actual), sampled(expected)
        seen = Observation(result.margin, expected.size, histogram(sample, truth), points(sample, truth, POINTS))
        if self._keeps_picture(key, layer, result.margin) or is_source:
            seen = replace(seen, closeup=closeup(actual, expected))
        self.observations[key][layer] = seen

    def _is_source(self, key: tuple[str, str], layer: str) -> bool:
        """Whether none of the feeders of a failing layer failed; at most `SOURCES` of them are."""
        known = next((layers for network, layers in self.layers.items() if str(network) == key[0]), {})
        feeders = known[layer].inputs if layer in known else ()
        if self._failed[key].isdisjoint(feeders) and len(self._sources[key]) < SOURCES:
            self._sources[key].add(layer)
        self._failed[key].add(layer)
        return layer in self._sources[key]

    def _keeps_picture(self, key: tuple[str, str], layer: str, margin: float) -> bool:
        """Whether the layer is among the worst so far; the one whose place it takes loses its pictures."""
        rows = self._pictured[key]
        rows[:] = [row for row in rows if row[2] != layer]
        heapq.heapify(rows)
        row = (margin, -len(self.observations[key]), layer)
        if len(rows) < PICTURED:
            heapq.heappush(rows, row)
            return True
        dropped = heapq.heappushpop(rows, row)[2]
        if dropped != layer and dropped not in self._sources[key]:
            self.observations[key][dropped] = replace(self.observations[key][dropped], closeup=None)
        return dropped != layer
