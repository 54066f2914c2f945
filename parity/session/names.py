"""What each gate judges of a network, by name."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from parity.core.layers import WHOLE, Network, block, port_layers
from parity.session.options import Options

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference


def judged_names(gate: str, network: Network, of: str, options: Options) -> Iterable[str]:
    """Return what a gate judges of a network: its layers, or what the marker says instead (`of`)."""
    stored = options.stored
    if options.training:
        from parity.core.training_names import names

        all_names = names(gate, network)
        if stored is None:
            return all_names
        held = set(stored.names(gate, network))
        return [name for name in all_names if name in held]
    if of == "images":
        return options.image_names(network)
    if of == "validation":
        # The evaluation runs the official network on images that nobody has stored.
        return [] if stored else [of]
    layers = port_layers(network.variant)
    if stored:
        return _stored_names(gate, network, of, stored, layers)
    return _layers_or_blocks(layers, of)


def _stored_names(
    gate: str, network: Network, of: str, stored: "StoredReference", layers_of_port: Sequence[str]
) -> Iterable[str]:
    """Return what a gate judges of a network by a stored reference.

    The reference tells which layers there are; what it holds is judged, and what only the port has.
    """
    held = set(stored.names(gate, network))
    if not held:
        return []
    known = stored.layers(network)
    official = {*known, *_blocks(known)}
    names = _layers_or_blocks([*known, *layers_of_port], of)
    return [name for name in names if name in held or name not in official]


def _layers_or_blocks(layers: Iterable[str], of: str) -> Iterable[str]:
    """Return the layers, each once, or where these are asked for the blocks that they lie in."""
    return _blocks(layers) if of == "blocks" else dict.fromkeys(layers)


def _blocks(layers: Iterable[str]) -> list[str]:
    """Return the blocks that the layers lie in, each once, and the network as a whole."""
    blocks = dict.fromkeys(block(layer) for layer in layers)
    return [*blocks, WHOLE]
