"""Which operations of the official graph are layers, what they are called, and which feed which."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tf_reference.errors import InputError

IMAGES = "images"
LAYER_TYPES = {"AvgPool", "BiasAdd", "ConcatV2", "Conv2D", "DepthwiseConv2dNative", "FusedBatchNormV3", "MaxPool"}
LAYER_TYPES |= {"Mean", "Relu", "Relu6", "Softmax"}
# Operations between layers: weights, padding and slicing of a factorized reduction, the parts of an unfused batch norm,
# of clipping, of a dense layer, of dropout and drop path. Anything else that is met is an error: nothing is overlooked.
PLUMBING_TYPES = {"AddV2", "Cast", "Const", "Floor", "GreaterEqual", "Identity", "MatMul", "Maximum", "Minimum", "Mul"}
PLUMBING_TYPES |= {"Pack", "Pad", "RandomUniform", "ReadVariableOp", "RealDiv", "Reshape", "Rsqrt", "SelectV2", "Shape"}
PLUMBING_TYPES |= {"Split", "SquaredDifference", "Squeeze", "StopGradient", "StridedSlice", "Sub", "VarHandleOp"}


@dataclass(frozen=True)
class Layer:
    """One layer's output in the graph. `inputs` are the layers (or `images`) that feed it, in the operation's order."""

    name: str
    kind: str
    tensor: str
    shape: tuple[int | None, ...]
    dtype: str
    inputs: tuple[str, ...]

    @property
    def elements(self) -> int:
        """How many elements the output has for each image."""
        return math.prod(size or 1 for size in self.shape[1:])


def describe_layers(layers: Mapping[str, Layer]) -> dict[str, Any]:
    """Return the layers as plain data, for JSON."""
    return {name: asdict(layer) for name, layer in layers.items()}


def restore_layers(described: Mapping[str, Any]) -> dict[str, Layer]:
    """Return the layers that were described."""
    layers = {}
    for name, row in described.items():
        # JSON makes lists of tuples.
        tuples = {"shape": tuple(row["shape"]), "inputs": tuple(row["inputs"])}
        layers[name] = Layer(**row | tuples)
    return layers


def layers_above(roots: Iterable[Any]) -> dict[str, Layer]:
    """Return all layers that the tensors `roots` are computed from, in the order of their creation."""
    operations = _operations_above(roots)
    names = {IMAGES: IMAGES}
    for operation in operations:
        name = layer_name(operation.type, operation.name)
        if name:
            names[operation.name] = name
    layers = {}
    for operation in operations:
        if operation.name in names and operation.type != "Placeholder":
            name = names[operation.name]
            output = operation.outputs[0]
            shape = tuple(output.shape.as_list())
            feeders = tuple(_feeders(operation, names))
            layers[name] = Layer(name, operation.type, output.name, shape, output.dtype.name, feeders)
    return layers


def _operations_above(roots: Iterable[Any]) -> list[Any]:
    """Return all operations that the tensors `roots` are computed from, in the order of their creation."""
    above = set()
    to_visit = list(roots)
    graph = to_visit[0].graph
    while to_visit:
        operation = to_visit.pop().op
        if operation.name not in above:
            above.add(operation.name)
            to_visit += operation.inputs
    return [operation for operation in graph.get_operations() if operation.name in above]


def _feeders(operation: Any, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the layers that reach `operation` without another layer between, in the order of its inputs.

    `names` are those of the layers, by operation.
    """
    for tensor in operation.inputs:
        if tensor.op.name in names:
            yield names[tensor.op.name]
        else:
            yield from _feeders(tensor.op, names)


def layer_name(kind: str, path: str) -> str | None:
    """Return the layer's name by the operation's type and scopes alone, or None for an operation that is not a layer.

    A layer with weights is called by its variables' scope, any other by its operation: `cell_0/1x1/Conv2D` is
    `cell_0.1x1`, `cell_0/Relu_1` is `cell_0.relu_1`. The two halves of a separable convolution, which share a scope,
    are `depthwise` and `pointwise` below it. Raises InputError for an operation of an unknown kind.
    """
    *scopes, last = path.split("/")
    if kind == "Placeholder":
        return None
    if kind not in LAYER_TYPES | PLUMBING_TYPES:
        raise InputError(f"the official graph has an operation of an unknown kind: {kind} {path}")
    # An unfused batch norm, as in float64, is many operations: the last of them stands for it.
    if scopes[-1:] == ["batchnorm"] or "moments" in scopes:
        return ".".join(scopes[:-1]) if last == "add_1" else None
    if last == "clip_by_value":
        return ".".join([*scopes, last])
    # Other sums are parts of a batch norm or of drop path.
    if kind == "AddV2" and scopes[-1:] == ["combine"]:
        return ".".join([*scopes, last])
    if kind not in LAYER_TYPES:
        return None
    if last == "separable_conv2d":
        return ".".join([*scopes, "pointwise"])
    if last == "depthwise":
        return ".".join([*scopes[:-1], "depthwise"])
    if kind in {"Conv2D", "FusedBatchNormV3", "BiasAdd"}:
        return ".".join(scopes)
    # A pool is called AvgPool, AvgPool2D, or AvgPool in a scope AvgPool2D, as the official source's revision spells its
    # call.
    scopes = [scope for scope in scopes if scope not in {"MaxPool2D", "AvgPool2D"}]
    last = last.replace("Pool2D", "Pool")
    words = re.sub("(?<=[a-z])(?=[A-Z])", "_", last)
    return ".".join([*scopes, words.lower()])
