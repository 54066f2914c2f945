"""What of the official network a candidate shows, in words."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from parity.core.layers import Network, port_layers


def shown(name: str, unobservable: Mapping[Network, Collection[str]]) -> Iterator[str]:
    """A sentence on each network of a candidate, of which it does not show the `unobservable` layers."""
    for network, hidden in unobservable.items():
        yield f"{name} shows {share(network, hidden)}"


def share(network: Network, unobservable: Collection[str]) -> str:
    """How many layers there are without those `unobservable`, and of what kind these are."""
    layers = port_layers(network.variant)
    seen = len(layers) - len(unobservable)
    kinds = Counter(layer.rpartition(".")[2].rstrip("_0123456789") for layer in unobservable)
    hidden = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda row: (-row[1], row[0])))
    found = f"{seen:,} of {len(layers):,} layers ({seen / len(layers):.0%}) of {network}"
    return found + (f"; unobservable, and not judged: {hidden}" if hidden else "")
