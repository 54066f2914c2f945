"""Both networks side by side in one dtype, made once for all gates that use it."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from parity.candidate.interface import Side
from parity.candidate.port import Judge
from parity.core.result import LayerResult
from parity.reference.interface import ReferenceRun
from tf_reference.graph import ReferenceGraph


class Pair:
    """The official network, as far as `reference` has it, and the port or what takes its place.

    Closing it frees the weights of both.
    """

    def __init__(self, graph: ReferenceGraph, reference: ReferenceRun, port: Side) -> None:
        self.graph = graph
        self.reference = reference
        self.port = port

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Gives both the same weights, in TensorFlow's names and layouts."""
        self.reference.assign(variables)
        self.port.load(variables)

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Gives both the integer network's weights."""
        self.reference.assign_exact(variables)
        self.port.load_exact(variables)

    def official(self, images_nhwc: np.ndarray, layers: frozenset[str]) -> MutableMapping[str, Any]:
        """The official values (NHWC), or their digests, of those of `layers` that the official network has, by name."""
        return self.reference.run(images_nhwc, [layer for layer in self.reference.layers if layer in layers])

    def results(
        self, gate: str, layers: frozenset[str], images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """The judgement of each of `layers` in the port; one that either side lacks fails."""
        return self.port.results(gate, layers, self.graph, images_nhwc, judge)

    def close(self) -> None:
        self.reference.close()
        del self.port
