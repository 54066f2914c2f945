"""Why a layer that fails a gate needs no look of its own: others explain it, or a stronger gate failed it before."""

from collections.abc import Mapping, Sequence

from parity.core.computing import Results
from parity.core.localize import Localization, handing_on, localize
from parity.core.policy import TRAINING_GATES
from parity.gates.training.localize import explained_by, localized
from tf_reference.layers import Layer


def localization(gate: str, layers: Mapping[str, Layer], results: Mapping[str, Results]) -> Localization:
    """Return the culprits of what fails in a gate, and what is downstream of them.

    `layers` are the official graph's, `results` a network's by gate.
    """
    if gate in TRAINING_GATES:
        return localized(gate, layers, results)
    by_name = results[gate]
    failing = {name for name, result in by_name.items() if not result}
    passing = by_name.keys() - failing
    unreached = {name for name in failing if not by_name[name].reached}
    feeders = {name: layer.inputs for name, layer in layers.items()}
    return localize(feeders, failing, passing, (), unreached, handing_on(gate, by_name))


def explanation(
    gate: str, layer: str, culprits: Localization, results: Mapping[str, Results], gates: Sequence[str]
) -> tuple[str, str]:
    """Return why a layer that fails the `gate` needs no look of its own, as one word and as words for a reader.

    The word is `downstream`, `repeated`, or empty where the layer is a culprit. `culprits` are those of the gate,
    `results` the network's by gate, and `gates` all of the run, the strongest first.
    """
    if gate in TRAINING_GATES:
        first = explained_by(gate, layer, results)
        if first:
            return "downstream", f"behind what fails {first}"
    if layer in culprits.downstream:
        return "downstream", _behind(culprits.downstream[layer])
    for stronger in gates:
        if stronger == gate:
            break
        passed = results.get(stronger, {}).get(layer, True)
        if not passed:
            return "repeated", f"as it failed {stronger}"
    return "", ""


def _behind(culprits: Sequence[str]) -> str:
    """Return in words what a layer is downstream of: the nearest of its culprits, and how many more."""
    # No culprit need lie before a layer that was not reached, or that the official graph lacks.
    if not culprits:
        return "behind others"
    if len(culprits) == 1:
        return f"behind {culprits[0]}"
    return f"behind {culprits[0]} and {len(culprits) - 1} more"
