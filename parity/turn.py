"""What the network whose turn it is takes, kept for all gates that use it: graphs, both networks by dtype, weights."""

import gc
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from parity import exact
from parity.environment import release_memory
from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options
from parity.pair import Pair
from pnasnet_torch import variant
from pnasnet_torch.operations import BATCH_NORM_EPSILON
from tf_reference import checkpoint
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import Source
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.unit_scale import unit_scales

Variables = Mapping[str, np.ndarray]


class Turn:
    """One network's turn. Closing it frees the networks and graphs; the checkpoint that was read last is kept."""

    def __init__(self, options: Options, source: Source) -> None:
        self.options = options
        self.source = source
        self._network: Network | None = None
        self._graphs: dict[str, ReferenceGraph] = {}
        self._pairs: dict[str, Pair] = {}
        self._checkpoint: tuple[Path, Variables] | None = None

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
            spec = GraphSpec(self.network.variant, self.network.height, self.network.width, dtype)
            self._graphs[dtype] = reference_graph(self.source, spec)
        return self._graphs[dtype]

    def pair(self, dtype: str, layers: Iterable[str]) -> Pair:
        """Both networks up to `layers` if there is no pair in `dtype` yet; weights are to be loaded."""
        if dtype not in self._pairs:
            self._pairs[dtype] = Pair(self.network, self.graph(dtype), layers, self.options.threads)
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
        """The network's images (N, H, W, 3), preprocessed officially."""
        files = self.options.images_of(self.network)
        return load_images(self.source, files, self.network.height, self.network.width)

    def exact_inputs(self, dtype: str) -> tuple[Variables, np.ndarray]:
        """The integer network's variables and images."""

        def choose(channels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            return unit_scales(channels, dtype, BATCH_NORM_EPSILON).choose(rng)

        graph = self.graph(dtype)
        shapes = {name: variable.shape for name, variable in graph.variables.items()}
        area = exact.map_area(graph.layers["final_layer.relu"].shape)
        variables = exact.exact_variables(shapes, dtype, area, self.options.seed, choose)
        return variables, exact.exact_images(self.network.height, self.network.width, dtype, self.options.seed)

    def variables(self) -> Variables:
        """The checkpoint's variables, checked against the official network."""
        name = self.network.variant
        prefix = self.options.checkpoint or synthetic_checkpoint(
            self.source, name, variant(name).image_size, self.options.seed, sorted(PHOTOGRAPHS.glob("*.jpg"))
        )
        if self._checkpoint is None or self._checkpoint[0] != prefix:
            self._checkpoint = prefix, checkpoint.read(prefix)
        variables = self._checkpoint[1]
        shapes = {name: variable.shape for name, variable in self.graph("float32").variables.items()}
        checkpoint.check(prefix, variables, shapes)
        return variables
