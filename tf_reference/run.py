"""Weights and images in, layers out: one Session.run each."""

import os
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.graph import ReferenceGraph, Variable, operation_of
from tf_reference.layers import IMAGES
from tf_reference.parts import parts_of
from tf_reference.single import compute
from tf_reference.unit_scale import fitted

# What a tensor is called by whoever asks for it.
Key = TypeVar("Key", bound=Hashable)
# How many bytes of values are computed, or of variables set, at a time. All of Large's at 331 take 2.3 GB in float64.
PART = 128 * 2**20


class OfficialRun:
    """A session over the part of the official graph that computes `layers` (default: all), as written, unoptimised.

    Use it as a context manager; leaving it frees the weights.
    """

    def __init__(
        self,
        graph: ReferenceGraph,
        layers: Iterable[str] | None = None,
        threads: int | None = None,
        others: Iterable[str] = (),
        cut: Iterable[str] = (),
    ) -> None:
        """Open the session on so many `threads` (default: all cores).

        `others` are tensors that can be run besides the layers. What uses a tensor of `cut` (tensors of the graph's
        dtype) gets what is fed for it: `given` has the tensor to feed.
        """
        v1 = tensorflow().compat.v1
        self.graph = graph
        self.given: dict[str, str] = {}
        self.layers = list(graph.layers if layers is None else layers)
        tensors = [graph.layers[name].tensor for name in self.layers]
        tensors += others
        operations = list(map(operation_of, tensors))
        part = v1.graph_util.extract_sub_graph(graph.graph_def, operations)
        needed = [node.name for node in part.node]
        in_part = set(needed)
        self.variables: dict[str, Variable] = {}
        for name, variable in graph.variables.items():
            # A variable that no tensor is computed from needs no value, and takes no memory.
            if name in in_part:
                self.variables[name] = variable
                needed.append(variable.assign)
        with_assignments = v1.graph_util.extract_sub_graph(graph.graph_def, needed)
        config = _options(threads or os.cpu_count() or 1)
        self._session = v1.Session(graph=self._import(with_assignments, cut), config=config)

    def _import(self, graph_def: Any, cut: Iterable[str]) -> Any:
        """Return the TensorFlow graph, with a placeholder for each tensor of `cut` that is used in it."""
        tf = tensorflow()
        v1 = tf.compat.v1
        used = set()
        for node in graph_def.node:
            for tensor in node.input:
                used.add(tensor.removesuffix(":0"))
        placeholders = {}
        with tf.Graph().as_default() as imported:
            for tensor in dict.fromkeys(cut):
                # TensorFlow refuses to map a tensor that nothing uses.
                if tensor.removesuffix(":0") in used:
                    placeholders[tensor] = v1.placeholder(self.graph.spec.dtype, name="given")
                    self.given[tensor] = placeholders[tensor].name
            v1.import_graph_def(graph_def, input_map=placeholders, name="")
        return imported

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Set every variable that the layers need; `values` in TensorFlow's names and layouts.

        Raise InputError if one is missing or of another shape. Values for other variables are left aside.
        """
        problems = []
        for name, variable in self.variables.items():
            shape = values[name].shape if name in values else "nothing"
            if shape != variable.shape:
                problems.append(f"{name}: expected shape {variable.shape}, found {shape}")
        if problems:
            raise InputError("these variables do not fit the official network:\n  " + "\n  ".join(problems))
        # Many in one run: each new set of operations is prepared over the whole graph, and one by one takes minutes.
        assignments: list[str] = []
        feed: dict[str, np.ndarray] = {}
        size = 0
        for name, variable in self.variables.items():
            assignments.append(variable.assign)
            feed[variable.value] = values[name].astype(self.graph.spec.dtype, copy=False)
            size += feed[variable.value].nbytes
            if size > PART:
                self._session.run(assignments, feed)
                assignments, feed, size = [], {}, 0
        if feed:  # TensorFlow refuses to run nothing
            self._session.run(assignments, feed)

    def assign_exact(self, values: Mapping[str, np.ndarray]) -> None:
        """Set the variables of an integer network, such that the batch norms multiply by exactly 1 or -1.

        On some processors TensorFlow takes other gammas for that (`unit_scale`).
        """
        # Those that are missing are left to `assign`, which names them.
        needed = {name: values[name] for name in self.variables if name in values}
        self.assign(fitted(needed))

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Return the outputs of `layers` (default: all of the session's) for the images (N, H, W, 3), NHWC, by name.

        They are in the graph's dtype. Each new set of layers takes TensorFlow a while to prepare.
        """
        chosen = self.layers if layers is None else layers
        fetches = {name: self.graph.layers[name].tensor for name in chosen}
        if not fetches:  # TensorFlow refuses to run nothing
            return {}
        return self.run_tensors(fetches, images_nhwc)

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the output (NHWC) of each of `layers`, in the order of the graph, as `run` gives it.

        They are computed in parts, which hold at most `PART` bytes of them, and are given what earlier parts computed.
        """
        value_bytes = np.dtype(self.graph.spec.dtype).itemsize * len(images_nhwc)
        parts = parts_of(self.graph.layers, layers, PART / value_bytes)
        # What earlier parts computed, as far as later ones are given it.
        known: dict[str, np.ndarray] = {}
        for number, part in enumerate(parts, start=1):
            tensors = {name: self.graph.layers[name].tensor for name in part.computed}
            feed = {self.graph.layers[name].tensor: known[name] for name in part.given}
            computed = self.run_tensors(tensors, images_nhwc, feed)
            later = {name for later_part in parts[number:] for name in later_part.given}
            known = {name: value for name, value in (known | computed).items() if name in later}
            for name in part.computed:
                value = computed.pop(name)
                if name in layers:
                    yield name, value

    def run_tensors(
        self, fetches: Mapping[Key, str], images_nhwc: np.ndarray, feed: Mapping[str, np.ndarray] | None = None
    ) -> dict[Key, np.ndarray]:
        """Return any tensors, by names of one's own, for the images (N, H, W, 3) and what else is fed.

        Raise InputError for images of another form.
        """
        spec = self.graph.spec
        if images_nhwc.shape[1:] != (spec.height, spec.width, 3):
            raise InputError(f"expected images (N, {spec.height}, {spec.width}, 3), found {images_nhwc.shape}")
        values = {f"{IMAGES}:0": images_nhwc.astype(spec.dtype, copy=False)}
        values |= feed or {}
        result: dict[Key, np.ndarray] = self._session.run(dict(fetches), values)
        return result

    def replay(
        self, layer: str, inputs: Sequence[np.ndarray], variables: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Return the output (NHWC) of `layer` alone on `inputs` (NHWC), one for each of its `Layer.inputs`.

        With `variables` (see `tf_reference.single`) also these, and heights, widths and channels, may be others.
        """
        if variables is not None:
            return compute(self.graph, layer, inputs, variables)
        layers = self.graph.layers
        feed = {}
        for name, array_nhwc in zip(layers[layer].inputs, inputs, strict=True):
            tensor = f"{IMAGES}:0" if name == IMAGES else layers[name].tensor
            feed[tensor] = array_nhwc.astype(self.graph.spec.dtype, copy=False)
        output: np.ndarray = self._session.run(layers[layer].tensor, feed)
        return output

    def moments(self, images_nhwc: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return each batch norm's mean and (Bessel-corrected) variance over the images, in float32 training."""
        fetches = {}
        for name in self.layers:
            layer = self.graph.layers[name]
            if layer.kind == "FusedBatchNormV3":
                operation = operation_of(layer.tensor)
                # Besides its output, the operation gives the mean and the variance of the batch.
                fetches[name] = (f"{operation}:1", f"{operation}:2")
        result: dict[str, tuple[np.ndarray, np.ndarray]] = self._session.run(fetches, {f"{IMAGES}:0": images_nhwc})
        return result

    def close(self) -> None:
        """Close the session, which frees the weights."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _options(threads: int) -> Any:
    """Return the options of a session: so many threads, and no optimisation."""
    v1 = tensorflow().compat.v1
    config = v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    # TensorFlow would take all of a GPU's memory at once, and leave nothing to the candidate.
    config.gpu_options.allow_growth = True
    # The official operations as they are, none fused or folded into another.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = v1.OptimizerOptions.L0
    return config
