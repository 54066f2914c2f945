"""The golden digests in the place of the official network."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from parity.core import integers
from parity.core.errors import InputError
from parity.core.layers import WHOLE, Network, block
from parity.core.policy import STRUCTURE
from parity.reference.golden import digests
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from tf_reference.graph import GraphSpec, ReferenceGraph, Variable
from tf_reference.layers import Layer
from tf_reference.official import Source


class GoldenReference:
    """What the files hold. Weights and images are made anew, and checked to be those that the digests were made with.

    Raises InputError for a file that is damaged.
    """

    gates = (STRUCTURE, "exact-float32", "exact-float64")
    knows: Knowledge = "digests"
    official_sources: Mapping[str, Source] = {}

    def __init__(self) -> None:
        self.networks = digests.NETWORKS
        self._read = cache(digests.read)

    @property
    def provenance(self) -> dict[str, Any]:
        return dict(self._read(self.networks[0]).provenance)

    def layers(self, network: Network) -> Sequence[str]:
        return list(self._read(network).layers)

    def names(self, gate: str, network: Network) -> Sequence[str]:
        layers = self.layers(network) if gate in self.gates else []
        return layers if gate != STRUCTURE else [*layers, *dict.fromkeys(map(block, layers)), WHOLE]

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        golden = self._read(network)
        spec = GraphSpec(network.variant, network.height, network.width, dtype)
        rows = golden.layers.items()
        layers = {name: Layer(name, "", "", (None, *row.shape), dtype, row.inputs) for name, row in rows}
        variables = {name: Variable(shape, "", "") for name, shape in golden.variables.items()}
        return ReferenceGraph(spec, None, layers, variables)

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "GoldenRun":
        rows = self._read(network).layers
        return GoldenRun({layer: rows[layer].digests[graph.spec.dtype] for layer in layers})

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        golden, dtype = self._read(network), graph.spec.dtype
        area = integers.map_area(graph.layers["final_layer.relu"].shape)
        variables, images = digests.make_inputs(network, golden.variables, area, dtype)
        if digests.inputs_digest(variables, images) != golden.inputs[dtype]:
            raise InputError(
                f"{network} in {dtype}: the integers that NumPy {np.__version__} draws are not those that the golden "
                f"digests were made with (NumPy {golden.provenance['versions']['numpy']}), or parity/integers.py has "
                "changed since: make the digests anew with TensorFlow, pnasnet-parity golden"
            )
        return variables, images

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        raise InputError("the golden digests are those of the integer network alone")

    def images(self, network: Network) -> np.ndarray:
        raise InputError("the golden digests are those of the integer network alone")

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        raise InputError("the golden digests are those of the integer network alone")

    def close(self, complete: bool) -> str:
        return ""


class GoldenRun:
    """The digests of a network's layers in one dtype."""

    def __init__(self, found: dict[str, str]) -> None:
        self.layers = list(found)
        self._digests = found

    def assign(self, values: Variables) -> None:
        """Nothing: the digests belong to their own weights."""

    assign_exact = assign

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> dict[str, Any]:
        return {layer: self._digests[layer] for layer in (self.layers if layers is None else layers)}

    def replay(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        raise InputError(f"golden digests cannot compute {layer}")

    def close(self) -> None:
        pass
