"""The golden digests in the place of the official network."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from parity.core.errors import InputError
from parity.core.layers import WHOLE, Network, block
from parity.core.policy import STRUCTURE
from parity.reference.exact import stored_inputs
from parity.reference.golden import digests
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from tf_reference.graph import GraphSpec, ReferenceGraph, Variable
from tf_reference.layers import Layer
from tf_reference.official import Source


class GoldenReference:
    """The official integer network's digests, as the files hold them.

    Weights and images are made anew, and checked to be those that the digests were made with. Raises InputError for a
    file that is damaged.
    """

    gates = (STRUCTURE, "exact-float32", "exact-float64")
    knows: Knowledge = "digests"
    official_sources: Mapping[str, Source] = {}

    def __init__(self) -> None:
        self.networks = digests.NETWORKS
        # A file is asked for layers, names, graphs and digests: it is read once.
        self._read = cache(digests.read)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the first network's digests were made from, by what."""
        return dict(self._read(self.networks[0]).provenance)

    def layers(self, network: Network) -> Sequence[str]:
        """Return the names of the official network's layers."""
        return list(self._read(network).layers)

    def names(self, gate: str, network: Network) -> Sequence[str]:
        """Return what `gate` judges: layers, and for the structure gate also blocks and the whole network."""
        if gate not in self.gates:
            return []
        layers = self.layers(network)
        if gate != STRUCTURE:
            return layers
        blocks = dict.fromkeys(block(layer) for layer in layers)
        return [*layers, *blocks, WHOLE]

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph as far as the file describes it: it cannot be run."""
        golden = self._read(network)
        spec = GraphSpec(network.variant, network.height, network.width, dtype)
        layers = {}
        for name, row in golden.layers.items():
            layers[name] = Layer(name, kind="", tensor="", shape=(None, *row.shape), dtype=dtype, inputs=row.inputs)
        variables = {name: Variable(shape, assign="", value="") for name, shape in golden.variables.items()}
        return ReferenceGraph(spec, None, layers, variables)

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "GoldenRun":
        """Return the digests of `layers` in the dtype of `graph`, as a run."""
        rows = self._read(network).layers
        return GoldenRun({layer: rows[layer].digests[graph.spec.dtype] for layer in layers})

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype.

        Raise InputError where they are not those that the digests were made with.
        """
        golden = self._read(network)
        again = "make the golden digests anew with TensorFlow, pnasnet-parity golden"
        return stored_inputs(network, graph, golden.inputs[graph.spec.dtype], golden.provenance, again)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Raise InputError: the digests are those of no checkpoint."""
        raise InputError("the golden digests are those of the integer network alone")

    def images(self, network: Network) -> np.ndarray:
        """Raise InputError: the digests are those of no photograph."""
        raise InputError("the golden digests are those of the integer network alone")

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Raise InputError: no pixels are stored."""
        raise InputError("the golden digests are those of the integer network alone")

    def close(self, complete: bool) -> str:
        """Return nothing to say: nothing is open."""
        return ""


class GoldenRun:
    """The digests of a network's layers in one dtype."""

    def __init__(self, digest_by_layer: dict[str, str]) -> None:
        self.layers = list(digest_by_layer)
        self._digests = digest_by_layer

    def assign(self, values: Variables) -> None:
        """Leave `values` aside: the digests belong to their own weights."""

    assign_exact = assign

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the name and the digest of each of `layers`, whatever the images."""
        for layer in self.layers:
            if layer in layers:
                yield layer, self._digests[layer]

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> dict[str, str]:
        """Return the digests of `layers`, whatever the images."""
        return {layer: self._digests[layer] for layer in layers}

    def replay(self, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None = None) -> np.ndarray:
        """Raise InputError: a digest computes nothing."""
        raise InputError(f"golden digests cannot compute {layer}")

    def close(self) -> None:
        """Free nothing: no session is open."""
