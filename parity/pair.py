"""Both networks side by side in one dtype, made once for all gates that use it."""

from collections.abc import Iterable, Mapping

import numpy as np

from parity.layers import Network
from parity.port import Judge, Port
from parity.result import LayerResult
from tf_reference.graph import ReferenceGraph
from tf_reference.run import Reference


class Pair:
    """The official network up to those of `layers` that it has, and the port. Closing it frees the weights of both."""

    def __init__(self, network: Network, graph: ReferenceGraph, layers: Iterable[str], threads: int) -> None:
        self.graph = graph
        self.reference = Reference(graph, [layer for layer in layers if layer in graph.layers], threads)
        self.port = Port(network, graph.spec.dtype)

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Gives both the same weights, in TensorFlow's names and layouts."""
        self.reference.assign(variables)
        self.port.load(variables)

    def official(self, images_nhwc: np.ndarray, layers: frozenset[str]) -> dict[str, np.ndarray]:
        """The official values of those of `layers` that the official network has, by name, NHWC."""
        return self.reference.run(images_nhwc, [layer for layer in self.reference.layers if layer in layers])

    def results(
        self, gate: str, layers: frozenset[str], images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """The judgement of each of `layers` in the port; one that either side lacks fails."""
        return self.port.results(gate, layers, self.graph, images_nhwc, judge)

    def close(self) -> None:
        self.reference.close()
        del self.port
