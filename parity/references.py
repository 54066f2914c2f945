"""Where the official values come from: the official network itself as it runs, or what is stored of an earlier run."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from parity import exact
from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options, labelled
from parity.training.batch import make_batches, with_aux_head
from parity.training.official import DENSITY, IntegerGradients, LiveTraining, OfficialTraining, integer_gradients
from pnasnet_torch import variant
from tf_reference import checkpoint
from tf_reference.backward import backward_graph
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import Source, find
from tf_reference.preprocess import decode_image, load_images
from tf_reference.run import Reference
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import TrainingGraph, training_graph

Variables = Mapping[str, np.ndarray]
Knowledge = Literal["network", "values", "digests"]


class OfficialPixels(NamedTuple):
    """An image file's bytes, its decoded pixels (H, W, 3), and the network's input (1, height, width, 3)."""

    content: bytes
    decoded: np.ndarray
    pixels: np.ndarray


class ReferenceRun(Protocol):
    """The official `layers` of one network in one dtype. `tf_reference.run.Reference` is one."""

    @property
    def layers(self) -> Sequence[str]: ...

    def assign(self, values: Variables) -> None: ...

    def assign_exact(self, values: Variables) -> None:
        """Takes the integer network's variables, so that it computes with integers on this processor too."""
        ...

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> MutableMapping[str, Any]:
        """The layers' values (NHWC) by name, or their digests where the source knows no more."""
        ...

    def replay(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The layer alone on other inputs, where the source knows the network."""
        ...

    def close(self) -> None: ...


class ReferenceSource(Protocol):
    """What a port is judged by. Weights are in TensorFlow's names and layouts, images and layers NHWC."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The official code that is run, by the label of the reference that it is; none where none is run."""
        ...

    @property
    def knows(self) -> Knowledge:
        """The network, so that it computes whatever it is asked; or the values that it gave; or their digests alone."""
        ...

    def graph(self, network: Network, dtype: str) -> ReferenceGraph: ...

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> ReferenceRun: ...

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """The checkpoint's."""
        ...

    def images(self, network: Network) -> np.ndarray:
        """Photographs (N, H, W, 3), preprocessed."""
        ...

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """The integer network's variables and images, in the graph's dtype."""
        ...

    def preprocessed(self, network: Network, name: str) -> OfficialPixels: ...

    def close(self, complete: bool) -> str:
        """Ends its use; `complete` if all that was asked for was judged. What is to be said of that, if anything."""
        ...


@runtime_checkable
class TrainingSource(Protocol):
    """What a port that trains is judged by."""

    def training(self, network: Network) -> OfficialTraining: ...


def checkpoint_of(options: Options, name: str) -> Path:
    """The prefix of the checkpoint of the variant `name`: the one given, or else a synthetic one, made if not in the
    cache. It is made by the pinned source whatever the reference: the same weights for all of them."""
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    return options.checkpoint or synthetic_checkpoint(find(), name, variant(name).image_size, options.seed, photographs)


class LiveSource:
    """The official networks, run by TensorFlow: those of the pinned source, or of checkouts."""

    knows: Knowledge = "network"

    def __init__(self, options: Options) -> None:
        self.sources = {label: find(reference) for label, reference in labelled(options.references).items()}
        self._options = options
        self._checkpoint: tuple[Path, Variables] | None = None

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        spec = GraphSpec(network.variant, network.height, network.width, dtype)
        return reference_graph(self.sources[network.reference], spec)

    def training(self, network: Network) -> LiveTraining:
        """The official network in training, on all images as one batch, from the checkpoint; an auxiliary head that
        this lacks gets random weights."""
        source, seed, threads = self.sources[network.reference], self._options.seed, self._options.threads

        @cache
        def graph(dtype: str) -> TrainingGraph:
            spec = GraphSpec(network.variant, network.height, network.width, dtype, training=True)
            return training_graph(source, spec)

        def integers() -> IntegerGradients:
            made = backward_graph(source, GraphSpec(network.variant, network.height, network.width, "float64"))
            variables, _ = self.exact_inputs(network, made.network, DENSITY)
            return integer_gradients(made, variables, threads, seed)

        variables = self.variables(network, self.graph(network, "float32"))
        double = graph("float64")
        variables, made = with_aux_head(variables, double, seed)
        batches = make_batches(double, self.images(network), seed)
        return LiveTraining(network, graph, variables, batches, integers, threads, untrained=bool(made))

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> Reference:
        return Reference(graph, layers, self._options.threads)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Checked against the official network; those that were read last are kept."""
        prefix = checkpoint_of(self._options, network.variant)
        if self._checkpoint is None or self._checkpoint[0] != prefix:
            self._checkpoint = prefix, checkpoint.read(prefix)
        variables = self._checkpoint[1]
        checkpoint.check(prefix, variables, {name: variable.shape for name, variable in graph.variables.items()})
        return variables

    def images(self, network: Network) -> np.ndarray:
        paths = self._options.images_of(network)
        return load_images(self.sources[network.reference], paths, network.height, network.width)

    def exact_inputs(
        self, network: Network, graph: ReferenceGraph, density: exact.Density | None = None
    ) -> tuple[Variables, np.ndarray]:
        dtype, seed = graph.spec.dtype, self._options.seed
        shapes = {name: variable.shape for name, variable in graph.variables.items()}
        area = exact.map_area(graph.layers["final_layer.relu"].shape)
        variables = exact.exact_variables(shapes, dtype, area, seed, density)
        return variables, exact.exact_images(network.height, network.width, dtype, seed)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        path = self._options.preprocessed[name]
        pixels = load_images(self.sources[network.reference], [path], network.height, network.width)
        return OfficialPixels(path.read_bytes(), decode_image(path), pixels)

    def close(self, complete: bool) -> str:
        return ""
