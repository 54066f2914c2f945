"""What one network takes while it is judged: the official graphs, and both sides' networks, by dtype."""

import gc
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock, get_ident
from types import TracebackType
from typing import Self

import numpy as np

from parity.candidate.interface import Candidate, CandidateRun, OwnPort
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.reference.interface import Reference, ReferenceRun, Variables
from tf_reference.graph import ReferenceGraph


@dataclass
class Sides:
    """The official network and the candidate in one dtype."""

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


class NetworkContext:
    """All that a network takes while it is judged, made when it is first asked for. Leaving the context frees it."""

    def __init__(self, network: Network, reference: Reference, candidate: Candidate | None = None) -> None:
        self.network = network
        self.reference = reference
        self.candidate = candidate or OwnPort()
        self._graphs: dict[str, ReferenceGraph] = {}
        # By thread and dtype.
        self._judged: dict[tuple[int, str], CandidateRun] = {}
        # By dtype: the layers that the gates judge, and the official network up to them.
        self._layers: dict[str, set[str]] = {}
        self._official: dict[str, ReferenceRun] = {}
        # Both sides may ask for the same graph at once.
        self._reading = Lock()
        # The official networks that a probe looks at.
        self._probed = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free everything. What is asked for again is made again."""
        self.release()
        self._graphs.clear()
        # The next network takes gigabytes too: what is still held in cycles goes first, then what the C library keeps.
        gc.collect()
        release_memory()

    def graph(self, dtype: str) -> ReferenceGraph:
        """Return the official graph in `dtype`."""
        with self._reading:
            if dtype not in self._graphs:
                self._graphs[dtype] = self.reference.graph(self.network, dtype)
            return self._graphs[dtype]

    def expect(self, dtype: str, layers: Collection[str]) -> None:
        """Let the official network in `dtype` go up to these layers, too."""
        self._layers.setdefault(dtype, set()).update(layers)

    def official(self, dtype: str) -> ReferenceRun:
        """Return the official network in `dtype`, up to the layers that are expected; weights are to be assigned.

        All gates are given the same, as opening it takes longer than to run it.
        """
        if dtype not in self._official:
            self._official[dtype] = self._opened(dtype, self._layers[dtype])
        return self._official[dtype]

    def release_official(self) -> None:
        """Free the official networks that gates were given."""
        while self._official:
            _dtype, run = self._official.popitem()
            run.close()

    def _opened(self, dtype: str, layers: Collection[str]) -> ReferenceRun:
        """Open the official network in `dtype`, up to `layers`."""
        graph = self.graph(dtype)
        common = [layer for layer in graph.layers if layer in layers]
        return self.reference.open(self.network, graph, common)

    def judged(self, dtype: str) -> CandidateRun:
        """Return the candidate's network in `dtype`, the same for all that is judged in one thread; weights are to be
        loaded."""
        key = get_ident(), dtype
        if key not in self._judged:
            self._judged[key] = self.candidate.open(self.network, dtype)
        return self._judged[key]

    def sides(self, dtype: str) -> Sides:
        """Return both networks in `dtype`, the official one with all layers; weights are to be loaded."""
        graph = self.graph(dtype)
        official = self._opened(dtype, graph.layers)
        self._probed.callback(official.close)
        return Sides(graph, official, self.judged(dtype))

    def release_judged(self, dtype: str) -> None:
        """Free the candidate's network in `dtype`, with its weights, where it was opened."""
        self._judged.pop((get_ident(), dtype), None)

    def release(self) -> None:
        """Free the official networks, and the candidate's, with their weights."""
        self.release_official()
        self._probed.close()
        self._judged.clear()

    def images(self) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed officially."""
        return self.reference.images(self.network)

    def exact_inputs(self, dtype: str) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and its images (N, H, W, 3), in `dtype`."""
        return self.reference.exact_inputs(self.network, self.graph(dtype))

    def variables(self) -> Variables:
        """Return the checkpoint's variables, in TensorFlow's names and layouts."""
        return self.reference.variables(self.network, self.graph("float32"))
