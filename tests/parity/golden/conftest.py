"""The port judged by the golden digests of the smallest network."""

from collections.abc import Iterable

from parity.golden import digests
from parity.golden.source import GoldenSource
from parity.options import Options
from parity.result import LayerResult
from parity.session import ParitySession

SMALL = digests.NETWORKS[-1]


def judged(layers: Iterable[str], gate: str = "exact-float32") -> dict[str, LayerResult]:
    """The results of these layers."""
    session = ParitySession(
        Options((SMALL,), None, (), ("golden",), 0, 1, ()), {(gate, SMALL): frozenset(layers)}, GoldenSource()
    )
    return {layer: session.result(gate, SMALL, layer) for layer in layers}
