"""From the layers that fail to the layers at fault: the culprits, and what only fails because of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parity.core.policy import FLOAT64
from parity.core.result import LayerResult

# The layers that feed each layer, in the network's order; a name without an entry is an input.
Feeders = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Localization:
    """`culprits` in the network's order, and for each layer `downstream` of them the nearest culprits behind it."""

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
    """A culprit fails while all layers that feed it pass, or is known to be `at_fault`; the rest is downstream.

    Near a bound, a fault may pass in one layer and fail in the next: those `handing_on` pass, but are so near to it
    that what fails behind them is explained by what fails before them. A feeder that was not judged is looked through,
    to the layers that feed it. An `unreached` layer fails because the port ended before it, and is a culprit only if
    nothing else explains why. A failing layer that `feeders` does not know has nothing behind it: it too is a culprit
    only if there is no other.
    """
    roots: dict[str, dict[str, None]] = {}
    culprits: list[str] = []
    downstream: dict[str, tuple[str, ...]] = {}
    for layer, inputs in feeders.items():
        behind = _union(roots.get(name, {}) for name in inputs)
        if layer in passing and layer not in handing_on:
            behind = {}
        elif layer in failing:
            if layer in at_fault or (not behind and layer not in unreached):
                culprits.append(layer)
                behind = {layer: None}
            else:
                downstream[layer] = tuple(behind)
        roots[layer] = behind
    unknown = [layer for layer in failing if layer not in feeders]
    if not culprits:
        culprits = unknown or list(downstream)[:1]
    downstream |= dict.fromkeys(unknown, ())
    return Localization(tuple(culprits), {name: behind for name, behind in downstream.items() if name not in culprits})


def _union(groups: Iterable[Mapping[str, None]]) -> dict[str, None]:
    return {name: None for group in groups for name in group}


def handing_on(gate: str, results: Mapping[str, LayerResult]) -> set[str]:
    """The layers that pass the float64 gate, but nearer to its bound than any sound one.

    The exact gates allow nothing, and by the float32 gate sound layers come as near to their bounds.
    """
    rows = results.items() if gate == "float64" else ()
    return {layer for layer, result in rows if result and result.margin > FLOAT64.handed_on}
