"""What the network whose turn it is takes, kept for all gates that use it: graphs and both networks, by dtype."""

import gc
from collections.abc import Iterable

import numpy as np

from parity.candidate.interface import Candidate, OwnPort
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.gates.pair import Pair
from parity.reference.interface import ReferenceSource, Variables
from tf_reference.graph import ReferenceGraph


class Turn:
    """One network's turn, of the source and of the candidate. Closing it frees the networks and graphs."""

    def __init__(self, source: ReferenceSource, candidate: Candidate | None = None) -> None:
        self.source = source
        self.candidate = candidate or OwnPort()
        self._network: Network | None = None
        self._graphs: dict[str, ReferenceGraph] = {}
        self._pairs: dict[str, Pair] = {}

    @property
    def network(self) -> Network:
        assert self._network, "it is no network's turn"
        return self._network

    def begin(self, network: Network) -> None:
        """It is `network`'s turn now."""
        if network != self._network:
            self.close()
            gc.collect()
            release_memory()
            self._network = network

    def graph(self, dtype: str) -> ReferenceGraph:
        """The official graph."""
        if dtype not in self._graphs:
            self._graphs[dtype] = self.source.graph(self.network, dtype)
        return self._graphs[dtype]

    def pair(self, dtype: str, layers: Iterable[str]) -> Pair:
        """Both networks up to `layers` if there is no pair in `dtype` yet; weights are to be loaded."""
        if dtype not in self._pairs:
            graph = self.graph(dtype)
            wanted = set(layers)
            common = [layer for layer in graph.layers if layer in wanted]
            reference = self.source.open(self.network, graph, common)
            self._pairs[dtype] = Pair(graph, reference, self.candidate.side(self.network, dtype))
        return self._pairs[dtype]

    def release(self, *dtypes: str) -> None:
        """Frees the weights of both networks in these."""
        for dtype in dtypes:
            if dtype in self._pairs:
                self._pairs.pop(dtype).close()

    def close(self) -> None:
        self.release(*list(self._pairs))
        self._graphs.clear()
        self._network = None

    def images(self) -> np.ndarray:
        """The network's photographs (N, H, W, 3), preprocessed officially."""
        return self.source.images(self.network)

    def exact_inputs(self, dtype: str) -> tuple[Variables, np.ndarray]:
        """The integer network's variables and images."""
        return self.source.exact_inputs(self.network, self.graph(dtype))

    def variables(self) -> Variables:
        """The checkpoint's variables."""
        return self.source.variables(self.network, self.graph("float32"))
