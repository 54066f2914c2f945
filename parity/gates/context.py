"""What one network takes while it is judged: the official graphs, and both sides' networks, by dtype."""

import gc
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from parity.candidate.interface import Candidate, CandidateRun, OwnPort
from parity.candidate.port import Judge
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.core.result import LayerResult
from parity.reference.interface import Reference, ReferenceRun, Variables
from tf_reference.graph import ReferenceGraph


@dataclass
class Sides:
    """The official network and the candidate in one dtype, as far as the layers go that were asked for."""

    graph: ReferenceGraph
    reference: ReferenceRun
    candidate: CandidateRun

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Give both sides the same weights, in TensorFlow's names and layouts."""
        self.reference.assign(variables)
        self.candidate.load(variables)

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Give both sides the integer network's weights."""
        self.reference.assign_exact(variables)
        self.candidate.load_exact(variables)

    def official(self, images_nhwc: np.ndarray, layers: frozenset[str]) -> MutableMapping[str, Any]:
        """Return the official values (NHWC), or their digests, of those of `layers` that the official network has."""
        common = [layer for layer in self.reference.layers if layer in layers]
        return self.reference.run(images_nhwc, common)

    def results(
        self, gate: str, layers: frozenset[str], images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """Return the layer result of each of `layers` in the candidate; one that either side lacks fails."""
        return self.candidate.results(gate, layers, self.graph, images_nhwc, judge)

    def close(self) -> None:
        """Free what the official network takes; what the candidate takes is freed with this object."""
        self.reference.close()


class NetworkContext:
    """All that a network takes while it is judged, made when it is first asked for. Leaving the context frees it."""

    def __init__(self, network: Network, reference: Reference, candidate: Candidate | None = None) -> None:
        self.network = network
        self.reference = reference
        self.candidate = candidate or OwnPort()
        self._graphs: dict[str, ReferenceGraph] = {}
        self._sides: dict[str, Sides] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(*list(self._sides))
        self._graphs.clear()
        # The next network takes gigabytes too: what is still held in cycles goes first, then what the C library keeps.
        gc.collect()
        release_memory()

    def graph(self, dtype: str) -> ReferenceGraph:
        """Return the official graph in `dtype`."""
        if dtype not in self._graphs:
            self._graphs[dtype] = self.reference.graph(self.network, dtype)
        return self._graphs[dtype]

    def sides(self, dtype: str, layers: Iterable[str]) -> Sides:
        """Return both networks in `dtype`, up to `layers` where this is the first call; weights are to be loaded."""
        if dtype not in self._sides:
            graph = self.graph(dtype)
            wanted = set(layers)
            common = [layer for layer in graph.layers if layer in wanted]
            reference = self.reference.open(self.network, graph, common)
            self._sides[dtype] = Sides(graph, reference, self.candidate.open(self.network, dtype))
        return self._sides[dtype]

    def release(self, *dtypes: str) -> None:
        """Free both networks in each of `dtypes`, with their weights; one that was not opened is passed over."""
        for dtype in dtypes:
            if dtype in self._sides:
                self._sides.pop(dtype).close()

    def images(self) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed officially."""
        return self.reference.images(self.network)

    def exact_inputs(self, dtype: str) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and its images (N, H, W, 3), in `dtype`."""
        return self.reference.exact_inputs(self.network, self.graph(dtype))

    def variables(self) -> Variables:
        """Return the checkpoint's variables, in TensorFlow's names and layouts."""
        return self.reference.variables(self.network, self.graph("float32"))
