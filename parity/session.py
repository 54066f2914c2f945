"""What one pytest run computes, once, for the layers that it selected.

Values flow one way: weights and images into the official network, its layers out; then into the port, whose layers are
judged in the hook as each arrives. So only the official network's activations are ever held.
"""

import gc
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import numpy as np
import torch

from parity import compare, exact, metrics, structure
from parity.capture import capture
from parity.environment import pin_torch
from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options
from parity.result import LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import from_tf_variables
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.preprocess import load_images
from tf_reference.run import Reference
from tf_reference.synthetic import synthetic_checkpoint

# (gate, network): the names that the run selected.
Selection = Mapping[tuple[str, Network], frozenset[str]]
Variables = Mapping[str, np.ndarray]
Results = dict[str, LayerResult]
Judge = Callable[[str, np.ndarray], LayerResult]
Step = Callable[[str], AbstractContextManager[object]]

# Two images in one batch show what mixes them; those of the other gates go one by one, which halves the memory.
EXACT_BATCH = 2


def no_progress(_description: str) -> AbstractContextManager[object]:
    return nullcontext()


class ParitySession:
    """Results by gate, network and name, computed for all selected names of a network when the first is asked for."""

    def __init__(self, options: Options, selection: Selection, step: Step = no_progress) -> None:
        self.options = options
        self.source = official.find(options.reference)
        self._selection = selection
        self._step = step
        self._results: dict[tuple[str, Network], Results] = {}
        self._variables: tuple[Path, Variables] | None = None
        pin_torch(options.threads)

    def result(self, gate: str, network: Network, name: str) -> LayerResult:
        """The verdict of `gate` on the layer `name` (for the structure gate also a block's)."""
        if (gate, network) not in self._results:
            self._compute(gate, network)
            gc.collect()
        return self._results[gate, network][name]

    def _compute(self, gate: str, network: Network) -> None:
        if gate == "structure":
            with self._step(f"{network}: structure"):
                graph = self._graph(network, "float32")
                self._results[gate, network] = structure.judge(network, graph, self._selected(gate, network))
        elif gate.startswith("exact"):
            self._results[gate, network] = self._exact(gate, network)
        else:
            self._results["float64", network], self._results["float32", network] = self._values(network)

    def _selected(self, gate: str, network: Network) -> frozenset[str]:
        return self._selection.get((gate, network), frozenset())

    def _graph(self, network: Network, dtype: str) -> ReferenceGraph:
        return reference_graph(self.source, GraphSpec(network.variant, network.height, network.width, dtype))

    def _official(self, network: Network, dtype: str, layers: Iterable[str], variables: Variables) -> Reference:
        """The official network up to those of `layers` that it has, with its variables."""
        graph = self._graph(network, dtype)
        reference = Reference(graph, [layer for layer in layers if layer in graph.layers], self.options.threads)
        reference.assign(variables)
        return reference

    def _exact(self, gate: str, network: Network) -> Results:
        dtype = gate.removeprefix("exact-")
        layers = self._selected(gate, network)
        graph = self._graph(network, dtype)
        area = exact.map_area(graph.layers["final_layer.relu"].shape)
        shapes = {name: variable.shape for name, variable in graph.variables.items()}
        variables = exact.exact_variables(shapes, dtype, area, self.options.seed)
        images = exact.exact_images(network.height, network.width, EXACT_BATCH, dtype, self.options.seed)
        with self._step(f"{network}: official, integers in {dtype}"):
            with self._official(network, dtype, layers, variables) as reference:
                expected = reference.run(images)
        with self._step(f"{network}: port, integers in {dtype}"):
            model = _port(network, dtype, variables)
            return judge_port(
                gate, network, layers, expected, model, images, lambda layer, actual: compare.exact(gate, network, layer, actual, expected.pop(layer))
            )

    def _values(self, network: Network) -> tuple[Results, Results]:
        return {}, {}
