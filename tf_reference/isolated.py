"""The official gradients one by one, each computed from values and gradients that are given for the layers around."""

from collections.abc import Iterable, Mapping

import numpy as np

from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch, TrainingRun


class IsolatedRun(TrainingRun):
    """A session over the official training graph, cut at every layer: what is computed from a layer's value, or from
    the gradient at a layer, is computed from what is given for it."""

    def __init__(self, graph: TrainingGraph, threads: int | None = None) -> None:
        layers = graph.network.layers
        self._cut = {layer.tensor: ("value", name) for name, layer in layers.items()}
        # Some layers pass on the gradient as it is, so that it is one tensor: the last of them is where it is computed.
        self._cut |= {graph.gradients[name]: ("gradient", name) for name in layers if name in graph.gradients}
        super().__init__(graph, threads, self._cut)

    def gradients(
        self,
        names: Iterable[str],
        batch: Batch,
        values: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """The gradient at each layer (NHWC), or of each variable, called by one of `names`, from the `values` of the
        layers and the `gradients` at those behind it (NHWC)."""
        computed, passed = {}, {}
        for name in names:
            tensor = self.training.gradients[name]
            _, origin = self._cut.get(tensor, ("", name))
            if origin == name:
                computed[name] = tensor
            else:
                passed[name] = gradients[origin].astype(self.graph.spec.dtype)
        given = {"value": values, "gradient": gradients}
        feed = {}
        for tensor in self._needed(computed.values()):
            kind, name = self._cut[tensor]
            feed[self.given[tensor]] = given[kind][name]
        return self.run_tensors(computed, batch.images_nhwc, self._feed(batch) | feed) | passed

    def _needed(self, tensors: Iterable[str]) -> set[str]:
        """Of what the graph is cut at, that which the tensors are computed from."""
        known = {placeholder: tensor for tensor, placeholder in self.given.items()}
        open_ = [self._session.graph.get_tensor_by_name(tensor) for tensor in tensors]
        seen, needed = set(), set()
        while open_:
            tensor = open_.pop()
            if tensor.name in known:
                needed.add(known[tensor.name])
            elif tensor.op.name not in seen:
                seen.add(tensor.op.name)
                open_ += tensor.op.inputs
        return needed
