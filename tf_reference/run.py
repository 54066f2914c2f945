"""Weights and images in, layers out: one Session.run each."""

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.graph import ReferenceGraph
from tf_reference.layers import IMAGES
from tf_reference.unit_scale import fitted

# What a tensor is called by whoever asks for it.
Key = TypeVar("Key", bound=Hashable)


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
        """`others` are tensors that can be run besides the layers. What uses a tensor of `cut` (tensors of the graph's
        dtype) gets what is fed for it: `given` has the tensor to feed."""
        tf = tensorflow()
        v1 = tf.compat.v1
        self.graph = graph
        self.layers = list(graph.layers if layers is None else layers)
        tensors = [*(graph.layers[name].tensor for name in self.layers), *others]
        part = v1.graph_util.extract_sub_graph(graph.graph_def, [tensor.partition(":")[0] for tensor in tensors])
        needed = {node.name for node in part.node} & set(graph.variables)
        self.variables = {name: variable for name, variable in graph.variables.items() if name in needed}
        kept = [node.name for node in part.node] + [variable.assign for variable in self.variables.values()]
        imported_def = v1.graph_util.extract_sub_graph(graph.graph_def, kept)
        used = {tensor.removesuffix(":0") for node in imported_def.node for tensor in node.input}
        with tf.Graph().as_default() as imported:
            given = {
                tensor: v1.placeholder(graph.spec.dtype, name="given")
                for tensor in dict.fromkeys(cut)
                if tensor.removesuffix(":0") in used
            }
            v1.import_graph_def(imported_def, input_map=given, name="")
        self.given = {tensor: placeholder.name for tensor, placeholder in given.items()}
        threads = threads or os.cpu_count() or 1
        config = v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        config.gpu_options.allow_growth = True
        # The official operations as they are, none fused or folded into another.
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = v1.OptimizerOptions.L0
        self._session = v1.Session(graph=imported, config=config)

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Sets every variable that the layers need, in one run; `values` in TensorFlow's names and layouts.

        Raises InputError if one is missing or of another shape. Values for other variables are left aside.
        """
        wrong = [
            f"{name}: expected shape {variable.shape}, found {values[name].shape if name in values else 'nothing'}"
            for name, variable in self.variables.items()
            if name not in values or values[name].shape != variable.shape
        ]
        if wrong:
            raise InputError("these variables do not fit the official network:\n  " + "\n  ".join(wrong))
        dtype = self.graph.spec.dtype
        feed = {variable.value: values[name].astype(dtype, copy=False) for name, variable in self.variables.items()}
        if feed:  # TensorFlow refuses to run nothing
            self._session.run([variable.assign for variable in self.variables.values()], feed)

    def assign_exact(self, values: Mapping[str, np.ndarray]) -> None:
        """Sets the variables of an integer network, such that the batch norms multiply by exactly 1 or -1 on this
        processor (`unit_scale`)."""
        self.assign(fitted({name: values[name] for name in self.variables if name in values}))

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """The outputs of `layers` (default: all of the session's) for the images (N, H, W, 3), NHWC, by name.

        In the graph's dtype. Each new set of layers takes TensorFlow a while to prepare.
        """
        fetches = {name: self.graph.layers[name].tensor for name in (self.layers if layers is None else layers)}
        return self.run_tensors(fetches, images_nhwc) if fetches else {}

    def run_tensors(
        self, fetches: Mapping[Key, str], images_nhwc: np.ndarray, feed: Mapping[str, np.ndarray] | None = None
    ) -> dict[Key, np.ndarray]:
        """Any tensors, by names of one's own, for the images (N, H, W, 3) and what else is fed. Raises InputError for
        images of another form."""
        spec = self.graph.spec
        if images_nhwc.shape[1:] != (spec.height, spec.width, 3):
            raise InputError(f"expected images (N, {spec.height}, {spec.width}, 3), found {images_nhwc.shape}")
        values = {f"{IMAGES}:0": images_nhwc.astype(spec.dtype, copy=False), **(feed or {})}
        result: dict[Key, np.ndarray] = self._session.run(dict(fetches), values)
        return result

    def replay(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The output (NHWC) of `layer` alone on `inputs` (NHWC), one for each of its `Layer.inputs`."""
        dtype, layers = self.graph.spec.dtype, self.graph.layers
        tensors = [f"{IMAGES}:0" if name == IMAGES else layers[name].tensor for name in layers[layer].inputs]
        feed = {tensor: array.astype(dtype, copy=False) for tensor, array in zip(tensors, inputs, strict=True)}
        output: np.ndarray = self._session.run(layers[layer].tensor, feed)
        return output

    def moments(self, images_nhwc: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each batch norm's mean and (Bessel-corrected) variance over the images, in a float32 training graph."""
        operations = {
            name: self.graph.layers[name].tensor.partition(":")[0]
            for name in self.layers
            if self.graph.layers[name].kind == "FusedBatchNormV3"
        }
        fetches = {name: (f"{operation}:1", f"{operation}:2") for name, operation in operations.items()}
        result: dict[str, tuple[np.ndarray, np.ndarray]] = self._session.run(fetches, {f"{IMAGES}:0": images_nhwc})
        return result

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
