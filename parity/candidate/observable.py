"""What of the official network can be observed in a candidate, in words."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from parity.core.layers import Network, port_layers


def shown(name: str, unobservable: Mapping[Network, Collection[str]]) -> Iterator[str]:
    """Yield a sentence on each network of a candidate, of which it does not show the `unobservable` layers."""
    for network, hidden_layers in unobservable.items():
        yield f"{name} shows {share(network, hidden_layers)}"


def share(network: Network, unobservable: Collection[str]) -> str:
    """Return how many layers there are without those `unobservable`, and of what kind these are."""
    count = len(port_layers(network.variant))
    observable = count - len(unobservable)
    text = f"{observable:,} of {count:,} layers ({observable / count:.0%}) of {network}"
    if not unobservable:
        return text
    # The kind is the last part of a layer's name, without its number: `avg_pool` of `cell_0.avg_pool_1`.
    kinds = Counter(re.sub(r"_\d+$", "", layer.rpartition(".")[2]) for layer in unobservable)
    most_first = sorted(kinds.items(), key=lambda kind_and_count: (-kind_and_count[1], kind_and_count[0]))
    hidden = ", ".join(f"{number} {kind}" for kind, number in most_first)
    return f"{text}; unobservable, and not judged: {hidden}"
