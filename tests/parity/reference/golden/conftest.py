"""The port judged by the golden digests of the smallest network."""

from collections.abc import Iterable

from parity.core.result import LayerResult
from parity.reference.golden import digests
from parity.reference.golden.stored import GoldenReference
from parity.session.options import Options
from parity.session.session import ParitySession

SMALL = digests.NETWORKS[-1]


def judged(layers: Iterable[str], gate: str = "exact-float32") -> dict[str, LayerResult]:
    """Return the layer results of these layers by `gate`."""
    options = Options((SMALL,), None, (), ("golden",), 0, 1)
    session = ParitySession(options, {(gate, SMALL): frozenset(layers)}, GoldenReference())
    return {layer: session.result(gate, SMALL, layer) for layer in layers}
