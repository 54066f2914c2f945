"""The official networks, run by TensorFlow."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np

from parity.core import integers
from parity.core.computing import Step
from parity.core.layers import Network
from parity.core.pinning import SIDE_THREADS
from parity.core.specification import PHOTOGRAPHS, Specification, labelled
from parity.reference.batch import make_batches, with_aux_head
from parity.reference.exact import exact_inputs
from parity.reference.graphs import graphs_of, spec_of, takes_weights
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from parity.reference.live_training import DENSITY, LiveTraining, integer_gradients
from parity.reference.training import IntegerGradients
from pnasnet_torch import variant
from pnasnet_torch.naming import is_of_head
from tf_reference import building, checkpoint, synthetic
from tf_reference.backward import backward_graph
from tf_reference.graph import REFERENCE, ReferenceGraph, reference_graph
from tf_reference.official import Source, find
from tf_reference.preprocess import decode_image, load_images
from tf_reference.run import OfficialRun
from tf_reference.training import TrainingGraph, training_graph


def synthetic_of(specification: Specification, name: str) -> Path:
    """Return the prefix of the synthetic checkpoint for the variant `name`. It is made if it is not in the cache."""
    return synthetic.synthetic_checkpoint(*_made_from(specification, name))


def _made_from(specification: Specification, name: str) -> tuple[Source, str, int, int, list[Path]]:
    """Return what the synthetic checkpoint for the variant `name` is made from.

    That is the pinned official source whatever the references are: so all of them have the same weights.
    """
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    return find(), name, variant(name).image_size, specification.seed, photographs


class LiveReference:
    """The official networks, run by TensorFlow: those of the pinned official source, or of checkouts."""

    knows: Knowledge = "network"

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        # The variant whose weights were read last, and these: networks of one variant follow each other, and share it.
        self._synthetic: tuple[str, Variables] | None = None

    @cached_property
    def official_sources(self) -> Mapping[str, Source]:
        """The official sources, by the label of the reference that each is; looked for, or fetched, when first used."""
        references = labelled(self._specification.references)
        return {label: find(reference) for label, reference in references.items()}

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official evaluation graph of `network` in `dtype`."""
        return reference_graph(self.official_sources[network.reference], spec_of(network, dtype))

    def build(self, selection: Collection[tuple[str, Network]], step: Step) -> None:
        """Build what the cache lacks of the graphs that the `selection`, pairs of gate and network, takes.

        What is left out here is built when it is asked for.
        """
        # In the order of the networks, and each once.
        graphs = building.missing(list(dict.fromkeys(self._wanted(selection))))
        threads = self._specification.threads
        if len(graphs) > 1 and threads > 1:
            with step(f"{len(graphs)} official graphs, which are kept for later runs"):
                building.build(graphs, threads)

    def _wanted(self, selection: Collection[tuple[str, Network]]) -> Iterator[building.Wanted]:
        """Yield each graph that the `selection` takes, and those that its synthetic checkpoints are made by."""
        if self._specification.checkpoint is None:
            for name in dict.fromkeys(network.variant for gate, network in selection if takes_weights(gate)):
                if not synthetic.index_of(*_made_from(self._specification, name)).exists():
                    yield REFERENCE, find(), synthetic.graph_of(name, variant(name).image_size)
        for kind, network, spec in graphs_of(selection):
            yield kind, self.official_sources[network.reference], spec

    def training(self, network: Network) -> LiveTraining:
        """Return the official network in training, on all images as one batch, from the checkpoint.

        An auxiliary head that the checkpoint lacks gets random weights.
        """
        official_source = self.official_sources[network.reference]
        seed = self._specification.seed

        @cache
        def graph(dtype: str, whole_steps: bool = False) -> TrainingGraph:
            return training_graph(official_source, spec_of(network, dtype, training=True), whole_steps)

        # Checked against the evaluation graph: the auxiliary head may be missing, or be one for another image size.
        self.variables(network, self.graph(network, "float32"))
        variables = self._weights(network)
        float64_graph = graph("float64")
        variables, random_names = with_aux_head(variables, float64_graph, seed)
        batches = make_batches(float64_graph, self.images(network), seed)
        make_integers = partial(self._integer_gradients, network)
        return LiveTraining(
            network,
            graph,
            variables,
            batches,
            make_integers,
            untrained=bool(random_names),
        )

    def _integer_gradients(self, network: Network) -> IntegerGradients:
        """Return the integer network's values and gradients."""
        # In evaluation: in training, a batch norm divides by its batch's own deviation, which is rounded.
        graph = backward_graph(self.official_sources[network.reference], spec_of(network, "float64"))
        variables, _ = self.exact_inputs(network, graph.network, DENSITY)
        return integer_gradients(graph, variables, self._specification.seed)

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> OfficialRun:
        """Return a session over the part of `graph` that computes `layers`."""
        return OfficialRun(graph, layers, SIDE_THREADS)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the variables of `graph`. Raise InputError where they do not fit the official network."""
        given = self._specification.checkpoint
        # An auxiliary head is left aside where the graph has none.
        weights = self._weights(network)
        variables = {name: array for name, array in weights.items() if name in graph.shapes or not is_of_head(name)}
        checkpoint.check(given.path if given else "the synthetic checkpoint", variables, graph.shapes)
        return variables

    def _weights(self, network: Network) -> Variables:
        """Return the weights of the network's variant: those given, or else synthetic ones."""
        if self._specification.checkpoint:
            return self._specification.checkpoint.variables
        if self._synthetic is None or self._synthetic[0] != network.variant:
            prefix = synthetic_of(self._specification, network.variant)
            self._synthetic = network.variant, checkpoint.read(prefix)
        return self._synthetic[1]

    def images(self, network: Network) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed by its own official source."""
        paths = self._specification.images_of(network)
        return load_images(self.official_sources[network.reference], paths, network.height, network.width)

    def exact_inputs(
        self, network: Network, graph: ReferenceGraph, density: integers.Density | None = None
    ) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype.

        `density` is that of the kernels: by default the highest that stays exact in a forward.
        """
        return exact_inputs(graph, self._specification.seed, density)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return the image `name`: its file's bytes, decoded by TensorFlow, and preprocessed for `network`."""
        path = self._specification.preprocessed[name]
        pixels = load_images(self.official_sources[network.reference], [path], network.height, network.width)
        return OfficialPixels(path.read_bytes(), decode_image(path), pixels)

    def close(self, complete: bool) -> str:
        """Return nothing to say: each run frees its own session."""
        return ""
