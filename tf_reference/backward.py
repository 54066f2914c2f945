"""The official network's gradients in evaluation, from those that are given behind its last cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tf_reference import compat, graph
from tf_reference.graph import GraphSpec, ReferenceGraph, differentiable, gradient_tensors, official_network, part_of
from tf_reference.graph_cache import GraphKind
from tf_reference.layers import layers_above
from tf_reference.official import Source
from tf_reference.run import OfficialRun

# The last map. Behind it are a mean, whose gradient is divided by the map's area, and the logits.
ROOT = "final_layer.relu"
# What is fed.
GIVEN = "given"


@dataclass(frozen=True)
class BackwardGraph:
    """The official evaluation graph up to `ROOT`. `gradients` are tensors, by layer and variable."""

    network: ReferenceGraph
    gradients: dict[str, str]


class BackwardRun(OfficialRun):
    """A session over the official evaluation graph up to `ROOT`, with its gradients."""

    def __init__(self, backward: BackwardGraph, threads: int | None = None) -> None:
        super().__init__(backward.network, None, threads, backward.gradients.values())
        self._gradients = backward.gradients

    def backward(self, images_nhwc: np.ndarray, given_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradient at each layer (NHWC) and of each variable, by name, from the one given at `ROOT`."""
        return self.run_tensors(self._gradients, images_nhwc, {f"{GIVEN}:0": given_nhwc})


def backward_graph(source: Source, spec: GraphSpec) -> BackwardGraph:
    """Return the graph for `spec`, from the cache where there is a sound entry, else built and stored."""
    described, graph_def = BACKWARD.get(source, spec)
    network = graph.restore(spec, graph_def, described["network"])
    return BackwardGraph(network, described["gradients"])


def _build(source: Source, spec: GraphSpec) -> tuple[dict[str, Any], Any]:
    v1 = compat.tensorflow().compat.v1
    with official_network(source, spec) as (tf_graph, logits, end_points):
        all_layers = layers_above([logits, *end_points.values()])
        root = tf_graph.get_tensor_by_name(all_layers[ROOT].tensor)
        given = v1.placeholder(root.dtype, root.shape, name=GIVEN)
        layers = layers_above([root])
        sources = differentiable(tf_graph, layers)
        gradients = v1.gradients(root, list(sources.values()), given)
        tensors = gradient_tensors(sources, gradients)
        network = part_of(tf_graph, spec, layers, tensors.values())
        return {"network": graph.describe(network), "gradients": tensors}, network.graph_def


BACKWARD = GraphKind("backward", (*graph.CODE, "backward.py"), _build)
