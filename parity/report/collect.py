"""What a report keeps of the arrays that a run judges, while it judges them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.report.measure import POINTS, Closeup, Histogram, Points, closeup, histogram, points, sampled
from tf_reference.layers import Layer

# How many of the worst layers, and how many culprits, of each network and gate are kept with pictures.
PICTURED = 20
CULPRITS = 40

# The names of a network and of a gate.
NetworkGate = tuple[str, str]


@dataclass(frozen=True)
class Observation:
    """What is kept of one layer in one gate; where the layer is judged on several images, of the worst of them.

    `margin` is the layer result's, and `size` counts the layer's elements.
    """

    margin: float
    size: int
    histogram: Histogram
    points: Points
    closeup: Closeup | None = None


def _observation(margin: float, actual: np.ndarray, expected: np.ndarray) -> Observation:
    """Return what is kept of every layer: a histogram and points of a sample of its elements, and no close-up."""
    actual_sample = sampled(actual)
    expected_sample = sampled(expected)
    differences = histogram(actual_sample, expected_sample)
    pairs = points(actual_sample, expected_sample, POINTS)
    return Observation(margin, expected.size, differences, pairs)


class Collector:
    """An observer of the layers that a ParitySession judges, which keeps an observation of each by network and gate.

    Layers that are identical to the last bit in the exact gates leave nothing to keep. Pictures are kept of the layers
    with the largest margins, and of those that fail while none of their feeders does: the verdict's culprits will be
    among them.
    """

    def __init__(self) -> None:
        self.observations: defaultdict[NetworkGate, dict[str, Observation]] = defaultdict(dict)
        # The session's own dictionary, which the session fills with a network's layers before it judges them.
        self.layers: Mapping[Network, Mapping[str, Layer]] = {}
        self._failed: defaultdict[NetworkGate, set[str]] = defaultdict(set)
        self._culprits: defaultdict[NetworkGate, set[str]] = defaultdict(set)
        # The worst layers so far, at most `PICTURED`, by name; see `_enter_worst` for what is held of each.
        self._worst: defaultdict[NetworkGate, dict[str, tuple[float, int, str]]] = defaultdict(dict)

    def __call__(self, result: LayerResult, actual: np.ndarray, expected: np.ndarray) -> None:
        """Keep what the report shows of a layer's two arrays (NHWC or NC): the candidate's and the expected values."""
        key = (result.network, result.gate)
        layer = result.layer
        earlier = self.observations[key].get(layer)
        # Before any return: a layer that fails counts as failed for those that it feeds, though nothing of it be kept.
        is_culprit = False
        if not result:
            is_culprit = self._note_failure(key, layer)
        if actual.shape != expected.shape or expected.size == 0:
            return
        # On an earlier image the layer was as bad or worse.
        if earlier and earlier.margin >= result.margin:
            return
        if result.gate.startswith("exact") and result:
            return
        observation = _observation(result.margin, actual, expected)
        # A culprit, too, is entered among the worst, and takes a place there.
        is_among_worst = self._enter_worst(key, layer, result.margin)
        if is_among_worst or is_culprit:
            observation = replace(observation, closeup=closeup(actual, expected))
        self.observations[key][layer] = observation

    def _note_failure(self, key: NetworkGate, layer: str) -> bool:
        """Note that a layer failed, and return whether it is one of the first `CULPRITS` layers with no failed feeder.

        In a forward, what feeds a layer arrives before it. Gradients arrive the other way round, so that of these the
        first that fail are taken.
        """
        if self._failed[key].isdisjoint(self._feeders(key, layer)) and len(self._culprits[key]) < CULPRITS:
            self._culprits[key].add(layer)
        self._failed[key].add(layer)
        # Once a culprit it stays one, though its feeders may fail on a later image.
        return layer in self._culprits[key]

    def _feeders(self, key: NetworkGate, layer: str) -> Sequence[str]:
        """Return the names of what feeds a layer; none for a layer that the official network does not have."""
        network_name, _ = key
        for network, layers in self.layers.items():
            if str(network) == network_name and layer in layers:
                return layers[layer].inputs
        return ()

    def _enter_worst(self, key: NetworkGate, layer: str, margin: float) -> bool:
        """Enter a layer among the worst so far, and return whether it stays there.

        The layer whose place it takes loses its close-up, unless that is a culprit.
        """
        worst = self._worst[key]
        # Entries compare by margin; of equal ones that of the later layer is smaller, so that the earlier layer stays.
        # A layer that was entered for an earlier image has its new entry in the place of the old.
        worst[layer] = (margin, -len(self.observations[key]), layer)
        if len(worst) <= PICTURED:
            return True
        _, _, dropped = min(worst.values())
        del worst[dropped]
        if dropped == layer:
            return False
        if dropped not in self._culprits[key]:
            self.observations[key][dropped] = replace(self.observations[key][dropped], closeup=None)
        return True
