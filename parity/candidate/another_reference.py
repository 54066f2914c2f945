"""Another reference in the place of the port: TensorFlow judged by TensorFlow."""

from collections.abc import Callable, Mapping

import numpy as np

from parity.candidate.interface import Candidate, CandidateRun
from parity.candidate.parts import CandidateParts, Parts
from parity.candidate.port import Port
from parity.core.layers import Network
from parity.core.pinning import SIDE_THREADS
from tf_reference import official
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.run import OfficialRun


class ReferenceCandidate(Candidate):
    """A candidate: the network of another official source, called `name`.

    Every layer can be observed. Layers are not run one by one: that takes a PyTorch model.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._source = official.find(name)

    def refuses(self, network: Network) -> str:
        """Return why the official source has no such network; empty if it has."""
        variants = self._source.kind.variants
        if network.variant in variants:
            return ""
        return f"it has PNASNet-5 {' and '.join(variants)} alone"

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the graph that the official source builds of the network in `dtype`."""
        return reference_graph(self._source, GraphSpec(network.variant, network.height, network.width, dtype))

    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the official source in one dtype, to be filled and run."""
        return OfficialCandidateRun(network, self.graph(network, dtype))

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables of the graph, with their shapes and dtypes."""
        graph = self.graph(network, "float32")
        parts: Parts = {}
        for name, layer in graph.layers.items():
            # Without the number of images, which a graph leaves open.
            parts["layer", name] = f"{layer.shape[1:]} {layer.dtype}"
        for name, variable in graph.variables.items():
            parts["variable", name] = str(variable.shape)
        return CandidateParts(parts, frozenset(graph.layers), None)


class OfficialCandidateRun(Port):
    """One network of another official source in one dtype, which runs in the place of the port."""

    def __init__(self, network: Network, graph: ReferenceGraph) -> None:
        super().__init__(network, graph.spec.dtype)
        self._graph = graph
        self._variables: Mapping[str, np.ndarray] = {}
        self._exact = False

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the official variables, which the network is filled with when it runs."""
        self._variables = variables
        self._exact = False

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the integer network's variables, which the network is filled with when it runs."""
        self._variables = variables
        self._exact = True

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        """Call `report` with each of `layers` (NHWC) that the graph has."""
        own_layers = [layer for layer in self._graph.layers if layer in layers]
        with OfficialRun(self._graph, own_layers, SIDE_THREADS) as official_run:
            if self._exact:
                # TensorFlow's batch norm takes an approximate root on some processors: with this, integers stay exact.
                official_run.assign_exact(self._variables)
            else:
                official_run.assign(self._variables)
            for layer, value_nhwc in official_run.values(images_nhwc, layers):
                report(layer, value_nhwc)
