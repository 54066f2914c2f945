"""The official gradients one by one, each computed from values and gradients that are given for the layers around."""

from collections.abc import Iterable, Mapping

import numpy as np

from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch, TrainingRun


class IsolatedRun(TrainingRun):
    """A session over the official training graph, cut at every layer.

    What is computed from a layer's value, or from the gradient at a layer, is computed from what is given for it.
    """

    def __init__(self, graph: TrainingGraph, threads: int | None = None) -> None:
        # The tensors that the graph is cut at: what each is, and of which layer.
        self._cut: dict[str, tuple[str, str]] = {}
        for name, layer in graph.network.layers.items():
            self._cut[layer.tensor] = ("value", name)
        for name in graph.network.layers:
            # Some layers pass on the gradient as it is, so that it is one tensor: it is computed at the last of them.
            if name in graph.gradients:
                self._cut[graph.gradients[name]] = ("gradient", name)
        super().__init__(graph, threads, self._cut)

    def gradients(
        self,
        names: Iterable[str],
        batch: Batch,
        values: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Return the gradient at each layer (NHWC), or of each variable, called by one of `names`.

        It is computed from the `values` of the layers, and the `gradients` at those behind it (both NHWC, by name).
        """
        computed = {}
        passed_on = {}
        for name in names:
            tensor = self.training.gradients[name]
            _, origin = self._cut.get(tensor, ("gradient", name))
            if origin == name:
                computed[name] = tensor
            else:
                passed_on[name] = gradients[origin].astype(self.graph.spec.dtype)
        feed = self._feed(batch)
        # No more than that: TensorFlow converts and copies all that is fed.
        for tensor in self._cut_above(computed.values()):
            kind, name = self._cut[tensor]
            feed[self.given[tensor]] = values[name] if kind == "value" else gradients[name]
        return self.run_tensors(computed, batch.images_nhwc, feed) | passed_on

    def _cut_above(self, tensors: Iterable[str]) -> set[str]:
        """Return the tensors that the graph is cut at, as far as `tensors` are computed from them."""
        cut_by_placeholder = {placeholder: tensor for tensor, placeholder in self.given.items()}
        to_visit = list(map(self._session.graph.get_tensor_by_name, tensors))
        visited = set()
        cut_above = set()
        while to_visit:
            tensor = to_visit.pop()
            if tensor.name in cut_by_placeholder:
                cut_above.add(cut_by_placeholder[tensor.name])
            elif tensor.op.name not in visited:
                visited.add(tensor.op.name)
                to_visit += tensor.op.inputs
        return cut_above
