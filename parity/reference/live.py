"""The official networks, run by TensorFlow."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from parity.core import integers
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS, Specification, labelled
from parity.reference.batch import make_batches, with_aux_head
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from parity.reference.training import DENSITY, IntegerGradients, LiveTraining, integer_gradients
from pnasnet_torch import variant
from tf_reference import checkpoint
from tf_reference.backward import backward_graph
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import find
from tf_reference.preprocess import decode_image, load_images
from tf_reference.run import OfficialRun
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.training import TrainingGraph, training_graph


def checkpoint_of(specification: Specification, name: str) -> Path:
    """The prefix of the checkpoint of the variant `name`: the one given, or else a synthetic one, made if not in the
    cache. It is made by the pinned source whatever the reference: the same weights for all of them."""
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    return specification.checkpoint or synthetic_checkpoint(
        find(), name, variant(name).image_size, specification.seed, photographs
    )


class LiveReference:
    """The official networks, run by TensorFlow: those of the pinned source, or of checkouts."""

    knows: Knowledge = "network"

    def __init__(self, specification: Specification) -> None:
        self.official_sources = {
            label: find(reference) for label, reference in labelled(specification.references).items()
        }
        self._specification = specification
        self._checkpoint: tuple[Path, Variables] | None = None

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        spec = GraphSpec(network.variant, network.height, network.width, dtype)
        return reference_graph(self.official_sources[network.reference], spec)

    def training(self, network: Network) -> LiveTraining:
        """The official network in training, on all images as one batch, from the checkpoint; an auxiliary head that
        this lacks gets random weights."""
        source, seed, threads = (
            self.official_sources[network.reference],
            self._specification.seed,
            self._specification.threads,
        )

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

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> OfficialRun:
        return OfficialRun(graph, layers, self._specification.threads)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Checked against the official network; those that were read last are kept."""
        prefix = checkpoint_of(self._specification, network.variant)
        if self._checkpoint is None or self._checkpoint[0] != prefix:
            self._checkpoint = prefix, checkpoint.read(prefix)
        variables = self._checkpoint[1]
        checkpoint.check(prefix, variables, {name: variable.shape for name, variable in graph.variables.items()})
        return variables

    def images(self, network: Network) -> np.ndarray:
        paths = self._specification.images_of(network)
        return load_images(self.official_sources[network.reference], paths, network.height, network.width)

    def exact_inputs(
        self, network: Network, graph: ReferenceGraph, density: integers.Density | None = None
    ) -> tuple[Variables, np.ndarray]:
        dtype, seed = graph.spec.dtype, self._specification.seed
        shapes = {name: variable.shape for name, variable in graph.variables.items()}
        area = integers.map_area(graph.layers["final_layer.relu"].shape)
        variables = integers.exact_variables(shapes, dtype, area, seed, density)
        return variables, integers.exact_images(network.height, network.width, dtype, seed)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        path = self._specification.preprocessed[name]
        pixels = load_images(self.official_sources[network.reference], [path], network.height, network.width)
        return OfficialPixels(path.read_bytes(), decode_image(path), pixels)

    def close(self, complete: bool) -> str:
        return ""
