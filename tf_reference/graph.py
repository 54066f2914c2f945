"""Builds the official network as a TensorFlow graph, or takes it from the cache, and names its layers."""

import hashlib
import importlib.metadata
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tf_reference import compat
from tf_reference.cache import cache_dir, replacing
from tf_reference.errors import InputError
from tf_reference.official import Source

log = logging.getLogger(__name__)

IMAGES = "images"
LAYER_TYPES = {
    "AvgPool",
    "BiasAdd",
    "ConcatV2",
    "Conv2D",
    "DepthwiseConv2dNative",
    "FusedBatchNormV3",
    "MaxPool",
    "Mean",
}
LAYER_TYPES |= {"Relu", "Relu6", "Softmax"}
# Operations between layers: weights, padding and slicing of a factorized reduction, the parts of an unfused batch norm,
# of clipping, of a dense layer, of dropout and drop path. Anything else that is met is an error: nothing is overlooked.
PLUMBING_TYPES = {"AddV2", "Cast", "Const", "Floor", "GreaterEqual", "Identity", "MatMul", "Maximum", "Minimum", "Mul"}
PLUMBING_TYPES |= {"Pack", "Pad", "RandomUniform", "ReadVariableOp", "RealDiv", "Reshape", "Rsqrt", "SelectV2", "Shape"}
PLUMBING_TYPES |= {"Split", "SquaredDifference", "Squeeze", "StopGradient", "StridedSlice", "Sub", "VarHandleOp"}


@dataclass(frozen=True)
class GraphSpec:
    """Everything that shapes the official graph; sizes in pixels.

    `training` builds the training form: batch statistics, drop path, dropout, and the auxiliary head, which the
    official code has in no other form. `hparams` overrides values of the official configuration.
    """

    variant: str
    height: int
    width: int
    dtype: str = "float32"
    training: bool = False
    num_classes: int = 1001
    hparams: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Layer:
    """One layer's output in the graph. `inputs` are the layers (or `images`) that feed it, in the operation's order."""

    name: str
    kind: str
    tensor: str
    shape: tuple[int | None, ...]
    dtype: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Variable:
    """A TensorFlow variable: feeding `value` and running `assign` sets it."""

    shape: tuple[int, ...]
    assign: str
    value: str


@dataclass(frozen=True)
class ReferenceGraph:
    """The official graph: `layers` in the order of creation, which is one of execution; `variables` by name."""

    spec: GraphSpec
    graph_def: Any = field(repr=False)
    layers: dict[str, Layer] = field(repr=False)
    variables: dict[str, Variable] = field(repr=False)


def reference_graph(source: Source, spec: GraphSpec) -> ReferenceGraph:
    """The graph for `spec`, from the cache where there is a sound entry, else built and stored (10 to 20 s)."""
    path = (
        cache_dir("graphs") / f"{spec.variant}-{spec.height}x{spec.width}-{spec.dtype}-{_key(source, spec)[:16]}.graph"
    )
    try:
        return _read(path, spec)
    except FileNotFoundError:
        log.info("building the official graph: %s", spec)
    except ValueError as error:
        log.warning("rebuilding the official graph: %s", error)
    graph = _build(source, spec)
    _write(path, graph)
    return graph


def _key(source: Source, spec: GraphSpec) -> str:
    """A digest of all that shapes a graph: the spec, the official source, the versions below it, and this package."""
    versions = [importlib.metadata.version(name) for name in ("tensorflow", "tf-slim", "tf-keras")]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (Path(__file__), Path(compat.__file__))]
    return hashlib.sha256(json.dumps([asdict(spec), source.fingerprint, versions, code]).encode()).hexdigest()


def _write(path: Path, graph: ReferenceGraph) -> None:
    layers = {name: asdict(layer) for name, layer in graph.layers.items()}
    variables = {name: asdict(variable) for name, variable in graph.variables.items()}
    head = json.dumps({"layers": layers, "variables": variables}).encode()
    body = len(head).to_bytes(8) + head + graph.graph_def.SerializeToString(deterministic=True)
    with replacing(path) as temporary:
        temporary.write_bytes(hashlib.sha256(body).digest() + body)


def _read(path: Path, spec: GraphSpec) -> ReferenceGraph:
    content = path.read_bytes()
    digest, body = content[:32], memoryview(content)[32:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(f"{path} is damaged: its checksum does not fit")
    end = 8 + int.from_bytes(body[:8])
    head = json.loads(bytes(body[8:end]))
    graph_def = compat.tensorflow().compat.v1.GraphDef.FromString(bytes(body[end:]))
    layers = {
        name: Layer(**row | {"shape": tuple(row["shape"]), "inputs": tuple(row["inputs"])})
        for name, row in head["layers"].items()
    }
    variables = {name: Variable(**row | {"shape": tuple(row["shape"])}) for name, row in head["variables"].items()}
    return ReferenceGraph(spec, graph_def, layers, variables)


def _build(source: Source, spec: GraphSpec) -> ReferenceGraph:
    tf = compat.tensorflow()
    v1 = tf.compat.v1
    pnasnet = source.load("nets.nasnet.pnasnet")
    arg_scope = source.load("nets.nasnet.nasnet_utils").arg_scope
    if not hasattr(pnasnet, f"build_pnasnet_{spec.variant}"):  # the first revisions had Large alone
        raise InputError(f"{source.root}: this revision of the official source has no PNASNet-5 {spec.variant}")
    config = getattr(pnasnet, f"{spec.variant}_imagenet_config")()
    for name, value in spec.hparams:
        config.set_hparam(name, value)
    scope = getattr(pnasnet, f"pnasnet_{spec.variant}_arg_scope")()
    build = getattr(pnasnet, f"build_pnasnet_{spec.variant}")
    with tf.Graph().as_default() as graph, compat.quiet():
        images = v1.placeholder(spec.dtype, [None, spec.height, spec.width, 3], name=IMAGES)
        # Without one, the official training graph creates its global step inside the first cell's scope.
        v1.train.get_or_create_global_step()
        try:
            with arg_scope(scope):
                net, end_points = build(images, spec.num_classes, is_training=spec.training, config=config)
        except (ValueError, AssertionError, UnboundLocalError) as error:
            raise InputError(f"the official code cannot build {spec}: {error}") from error
    layers = _layers([net, *end_points.values()])
    variables = dict(_variables(graph, {variable.op.name for variable in graph.get_collection("model_variables")}))
    kept = [layer.tensor.partition(":")[0] for layer in layers.values()] + [row.assign for row in variables.values()]
    graph_def = v1.graph_util.extract_sub_graph(graph.as_graph_def(), kept)
    return ReferenceGraph(spec, graph_def, layers, variables)


def _variables(graph: Any, names: set[str]) -> Iterator[tuple[str, Variable]]:
    for operation in graph.get_operations():
        if operation.type == "AssignVariableOp" and operation.inputs[0].op.name in names:
            handle, value = operation.inputs
            yield handle.op.name, Variable(tuple(value.shape.as_list()), operation.name, value.name)


def _layers(roots: Iterable[Any]) -> dict[str, Layer]:
    """All layers above the tensors `roots`, in the order of their creation."""
    operations: dict[str, Any] = {}
    open_ = [tensor.op for tensor in roots]
    while open_:
        operation = open_.pop()
        if operation.name not in operations:
            operations[operation.name] = operation
            open_ += [tensor.op for tensor in operation.inputs]
    graph = next(iter(operations.values())).graph
    order = [operation for operation in graph.get_operations() if operation.name in operations]
    names = {operation.name: name for operation in order if (name := layer_name(operation.type, operation.name))}
    names[IMAGES] = IMAGES
    layers = {}
    for operation in order:
        if operation.name in names and operation.type != "Placeholder":
            output = operation.outputs[0]
            feeders = tuple(names[feeder.name] for feeder in _feeders(operation, names))
            name, shape = names[operation.name], tuple(output.shape.as_list())
            layers[name] = Layer(name, operation.type, output.name, shape, output.dtype.name, feeders)
    return layers


def _feeders(operation: Any, names: dict[str, str]) -> Iterator[Any]:
    """The layer operations that reach `operation` without another layer between, in the order of its inputs."""
    for tensor in operation.inputs:
        if tensor.op.name in names:
            yield tensor.op
        else:
            yield from _feeders(tensor.op, names)


def layer_name(kind: str, path: str) -> str | None:
    """The layer's name by the operation's type and scopes alone, or None for an operation that is not a layer.

    A layer with weights is called by its variables' scope, any other by its operation: `cell_0/1x1/Conv2D` is
    `cell_0.1x1`, `cell_0/Relu_1` is `cell_0.relu_1`. The two halves of a separable convolution, which share a scope,
    are `depthwise` and `pointwise` below it. Raises InputError for an operation of an unknown kind.
    """
    *scopes, last = path.split("/")
    if kind == "Placeholder":
        return None
    if kind not in LAYER_TYPES | PLUMBING_TYPES:
        raise InputError(f"the official graph has an operation of an unknown kind: {kind} {path}")
    if scopes[-1:] == ["batchnorm"] or "moments" in scopes:
        return ".".join(scopes[:-1]) if last == "add_1" else None
    if last == "clip_by_value":
        return ".".join([*scopes, last])
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
    # A pool is called AvgPool, AvgPool2D, or AvgPool in a scope AvgPool2D, as the source's revision spells its call.
    scopes = [scope for scope in scopes if scope not in {"MaxPool2D", "AvgPool2D"}]
    last = last.replace("Pool2D", "Pool")
    return ".".join([*scopes, re.sub("(?<=[a-z])(?=[A-Z])", "_", last).lower()])
