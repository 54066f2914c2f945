"""The official network's gradients in evaluation, from those that are given behind its last cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tf_reference import compat, graph
from tf_reference.graph import GraphSpec, ReferenceGraph, cached, official_network, part_of
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
    """A session over such a graph."""

    def __init__(self, made: BackwardGraph, threads: int | None = None) -> None:
        super().__init__(made.network, None, threads, made.gradients.values())
        self._gradients = made.gradients

    def backward(self, images_nhwc: np.ndarray, given_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """The gradient at each layer (NHWC) and of each variable, by name, from the one at `ROOT`."""
        return self.run_tensors(self._gradients, images_nhwc, {f"{GIVEN}:0": given_nhwc})


def backward_graph(source: Source, spec: GraphSpec) -> BackwardGraph:
    """The graph for `spec`, from the cache where there is a sound entry, else built and stored."""

    def build() -> tuple[dict[str, Any], Any]:
        made = _build(source, spec)
        return {"network": graph.describe(made.network), "gradients": made.gradients}, made.network.graph_def

    found, graph_def = cached(source, spec, (*graph.CODE, "backward.py"), "backward", build)
    return BackwardGraph(graph.restore(spec, graph_def, found["network"]), found["gradients"])


def _build(source: Source, spec: GraphSpec) -> BackwardGraph:
    v1 = compat.tensorflow().compat.v1
    with official_network(source, spec) as (made, net, end_points):
        layers = layers_above([net, *end_points.values()])
        root = made.get_tensor_by_name(layers[ROOT].tensor)
        given = v1.placeholder(root.dtype, root.shape, name=GIVEN)
        above = layers_above([root])
        variables = made.get_collection("trainable_variables")
        places = [made.get_tensor_by_name(layer.tensor) for layer in above.values()]
        found = v1.gradients(root, [*places, *variables], given)
        names = [*above, *(variable.op.name for variable in variables)]
        gradients = {name: tensor.name for name, tensor in zip(names, found, strict=True) if tensor is not None}
        network = part_of(made, spec, above, [name.partition(":")[0] for name in gradients.values()])
        return BackwardGraph(network, gradients)
