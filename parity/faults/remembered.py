"""The official network of one setting, which remembers what it computed: any number of candidates are judged by it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from parity.core.layers import Network
from parity.core.pinning import SIDE_THREADS
from parity.reference.interface import Variables
from parity.reference.live import LiveReference
from parity.session.options import Options
from tf_reference.graph import ReferenceGraph
from tf_reference.run import OfficialRun

Values = Mapping[str, np.ndarray]
# Where the checkpoint's inputs are kept, beside the integers, which are kept by dtype.
CHECKPOINT = "checkpoint"


class RememberedReference(LiveReference):
    """The official network of one setting. What it computed is kept, and so are its graphs, weights and images.

    `latest` has the values of its last run in each dtype.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.latest: dict[str, Values] = {}
        # Weights and images: the checkpoint's, and by dtype the integers.
        self._inputs: dict[str, tuple[Variables, np.ndarray]] = {}
        # By dtype the graph, and the session with the variables that it has.
        self._graphs: dict[str, ReferenceGraph] = {}
        self._running: dict[str, tuple[OfficialRun, Variables | None]] = {}
        # By dtype, the identity of the variables, and the bytes of the images.
        self._values: dict[tuple[str, int, bytes], Values] = {}

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph in a dtype."""
        if dtype not in self._graphs:
            self._graphs[dtype] = super().graph(network, dtype)
        return self._graphs[dtype]

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the checkpoint's variables, the same object each time."""
        return self._checkpoint_inputs(network)[0]

    def images(self, network: Network) -> np.ndarray:
        """Return the photographs (N, H, W, 3), preprocessed."""
        return self._checkpoint_inputs(network)[1]

    def _checkpoint_inputs(self, network: Network) -> tuple[Variables, np.ndarray]:
        """Return the checkpoint's variables, and the photographs (N, H, W, 3)."""
        if CHECKPOINT not in self._inputs:
            variables = super().variables(network, self.graph(network, "float32"))
            self._inputs[CHECKPOINT] = variables, super().images(network)
        return self._inputs[CHECKPOINT]

    def exact_inputs(
        self, network: Network, graph: ReferenceGraph, density: tuple[int, int] | None = None
    ) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), the same objects each time."""
        dtype = graph.spec.dtype
        if dtype not in self._inputs:
            variables, images = super().exact_inputs(network, graph, density)
            # Made once for all candidates.
            self._inputs[dtype] = dict(variables), images
        return self._inputs[dtype]

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "RememberedRun":  # type: ignore[override]
        """Return the official layers of the network in the graph's dtype."""
        return RememberedRun(self, graph, layers)

    def values(self, graph: ReferenceGraph, variables: Variables, images_nhwc: np.ndarray) -> Values:
        """Return every layer's value (NHWC), for weights that this reference gave out and images of its own."""
        dtype = graph.spec.dtype
        # The weights are kept as long as the values, so that no others get their identity. Images come in a new array
        # each time, of one image or of several.
        key = dtype, id(variables), images_nhwc.astype(dtype).tobytes()
        if key not in self._values:
            running = self.running(graph, variables)
            self._values[key] = running.run(images_nhwc)
        self.latest[dtype] = self._values[key]
        return self._values[key]

    def running(self, graph: ReferenceGraph, variables: Variables) -> OfficialRun:
        """Return the official network with these weights, in the graph's dtype."""
        dtype = graph.spec.dtype
        if dtype not in self._running:
            official = OfficialRun(graph, None, SIDE_THREADS)
            self._running[dtype] = official, None
        run, assigned = self._running[dtype]
        if assigned is not variables:
            if CHECKPOINT in self._inputs and variables is self._inputs[CHECKPOINT][0]:
                run.assign(variables)
            else:
                run.assign_exact(variables)
            self._running[dtype] = run, variables
        return run

    def release(self) -> None:
        """Free what runs."""
        for run, _ in self._running.values():
            run.close()
        self._running.clear()


class RememberedRun:
    """The official layers of the network in one dtype, as the reference remembers them."""

    def __init__(self, reference: RememberedReference, graph: ReferenceGraph, layers: Sequence[str]) -> None:
        self.layers = layers
        self._reference = reference
        self._graph = graph
        self._variables: Variables = {}

    def assign(self, values: Variables) -> None:
        """Take the weights that the next run is to have."""
        self._variables = values

    # The reference knows which of its weights are the integers.
    assign_exact = assign

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the value (NHWC) of each of `layers`, in the order of the graph."""
        for layer, value in self._all(images_nhwc).items():
            if layer in layers:
                yield layer, value

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the values (NHWC) of `layers` by name."""
        values = self._all(images_nhwc)
        return {layer: values[layer] for layer in layers}

    def _all(self, images_nhwc: np.ndarray) -> Values:
        return self._reference.values(self._graph, self._variables, images_nhwc)

    def replay(self, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None = None) -> np.ndarray:
        """Return the value (NHWC) of a layer alone on other inputs."""
        running = self._reference.running(self._graph, self._variables)
        return running.replay(layer, inputs, variables)

    def close(self) -> None:
        """Keep everything: the next candidate is judged by the same values."""
