"""From the layers that fail to the layers at fault: the culprits, and what only fails because of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from parity.core.policy import FLOAT64
from parity.core.result import LayerResult

# The layers that feed each layer, in the network's order; a name without an entry is an input.
Feeders = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Localization:
    """The `culprits` in the network's order, and for each layer `downstream` of them the nearest culprits behind it."""

    culprits: tuple[str, ...]
    downstream: Mapping[str, tuple[str, ...]]


def localize(
    feeders: Feeders,
    failing: Collection[str],
    passing: Collection[str],
    at_fault: Collection[str] = (),
    unreached: Collection[str] = (),
    handing_on: Collection[str] = (),
) -> Localization:
    """Tell the culprits among the `failing` layers from what is downstream of them.

    A culprit fails while all layers that feed it pass, or is known to be `at_fault`; the rest is downstream. A feeder
    that was not judged (neither failing nor passing) is looked through, to the layers that feed it. So are those
    `handing_on`, which pass: near a bound, a fault may pass in one layer and fail in the next, and what fails behind
    them is explained by what fails before them. An `unreached` layer fails because the candidate ended before it, and
    is a culprit only if nothing else explains why. A failing layer that `feeders` does not know has nothing behind it:
    it too is a culprit only if there is no other.
    """
    culprits: list[str] = []
    downstream: dict[str, tuple[str, ...]] = {}
    # What each layer passes on to those that it feeds: the nearest culprits, as keys, so that each is there once and
    # their order stays.
    handed_on: dict[str, dict[str, None]] = {}
    # In the network's order, so that all that feeds a layer was looked at before it.
    for layer, inputs in feeders.items():
        behind: dict[str, None] = {}
        for name in inputs:
            behind.update(handed_on.get(name, {}))
        if layer in passing and layer not in handing_on:
            behind = {}
        elif layer in failing:
            explained = bool(behind) or layer in unreached
            if layer in at_fault or not explained:
                culprits.append(layer)
                # It hides what lies before it: what follows is behind the nearest culprit alone.
                behind = {layer: None}
            else:
                downstream[layer] = tuple(behind)
        handed_on[layer] = behind
    unknown = [layer for layer in failing if layer not in feeders]
    for layer in unknown:
        downstream[layer] = ()
    if not culprits:
        # A failure always has a culprit: without a better one, all that the graph lacks, or else the first unreached
        # layer.
        culprits = unknown or list(downstream)[:1]
    for layer in culprits:
        downstream.pop(layer, None)
    return Localization(tuple(culprits), downstream)


def handing_on(gate: str, results: Mapping[str, LayerResult]) -> set[str]:
    """Return the layers that pass the float64 gate, but nearer to its bound than any sound one; of other gates none."""
    # The exact gates allow nothing, and by the float32 gate sound layers come as near to their bounds.
    if gate != "float64":
        return set()
    return {layer for layer, result in results.items() if result and result.margin > FLOAT64.handed_on}
