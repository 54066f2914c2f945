"""Another reference in the place of the port: TensorFlow judged by TensorFlow."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from parity.candidate.interface import NETWORK_GATES, CandidateRun
from parity.candidate.parts import CandidateParts
from parity.candidate.port import Port
from parity.core.layers import Network
from tf_reference import official
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.run import OfficialRun


class ReferenceCandidate:
    """The network of another official source. It shows every layer; its layers are not run one by one."""

    gates: Sequence[str] = NETWORK_GATES
    replayable = False

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._source = official.find(name)
        self._threads = threads

    def refuses(self, network: Network) -> str:
        variants = self._source.kind.variants
        return "" if network.variant in variants else f"it has PNASNet-5 {' and '.join(variants)} alone"

    def unobservable(self, _network: Network) -> frozenset[str]:
        return frozenset()

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        return reference_graph(self._source, GraphSpec(network.variant, network.height, network.width, dtype))

    def open(self, network: Network, dtype: str) -> CandidateRun:
        return OfficialCandidateRun(network, self.graph(network, dtype), self._threads)

    def parts(self, network: Network) -> CandidateParts:
        graph = self.graph(network, "float32")
        found = {("layer", name): f"{layer.shape[1:]} {layer.dtype}" for name, layer in graph.layers.items()}
        found |= {("variable", name): str(variable.shape) for name, variable in graph.variables.items()}
        return CandidateParts(found, frozenset(graph.layers), None)


class OfficialCandidateRun(Port):
    """One network of it in one dtype."""

    def __init__(self, network: Network, graph: ReferenceGraph, threads: int) -> None:
        super().__init__(network, graph.spec.dtype)
        self._graph = graph
        self._threads = threads
        self._variables: Mapping[str, np.ndarray] = {}
        self._exact = False

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        self._variables, self._exact = variables, False

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        self._variables, self._exact = variables, True

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        own = [layer for layer in self._graph.layers if layer in layers]
        with OfficialRun(self._graph, own, self._threads) as reference:
            (reference.assign_exact if self._exact else reference.assign)(self._variables)
            values = reference.run(images_nhwc)
        for layer in own:
            report(layer, values.pop(layer))
