"""Builds the official network as a TensorFlow graph, or takes it from the cache."""

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tf_reference import compat
from tf_reference.cache import cache_dir, replacing
from tf_reference.errors import InputError
from tf_reference.layers import IMAGES, Layer, layers_above
from tf_reference.official import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GraphSpec:
    """Everything that shapes the official graph; sizes in pixels.

    `training` builds the training form: batch statistics, drop path, dropout, and the auxiliary head, which the
    official code has in no other form. `hparams` overrides values of the official configuration, which not
    every source takes.
    """

    variant: str
    height: int
    width: int
    dtype: str = "float32"
    training: bool = False
    num_classes: int = 1001
    hparams: tuple[tuple[str, float], ...] = ()


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

    @property
    def feeders(self) -> dict[str, tuple[str, ...]]:
        """The layers (or `images`) that feed each layer, in the graph's order."""
        return {name: layer.inputs for name, layer in self.layers.items()}


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
    files = [Path(__file__).with_name(name) for name in ("graph.py", "layers.py", "compat.py")]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return hashlib.sha256(json.dumps([asdict(spec), source.fingerprint, versions, code]).encode()).hexdigest()


def describe(graph: ReferenceGraph) -> dict[str, Any]:
    """The graph's layers and variables as plain data, for JSON."""
    return {
        "layers": {name: asdict(layer) for name, layer in graph.layers.items()},
        "variables": {name: asdict(variable) for name, variable in graph.variables.items()},
    }


def restore(spec: GraphSpec, graph_def: Any, described: dict[str, Any]) -> ReferenceGraph:
    """The graph that was described; without a `graph_def` it cannot be run."""
    layers = {
        name: Layer(**row | {"shape": tuple(row["shape"]), "inputs": tuple(row["inputs"])})
        for name, row in described["layers"].items()
    }
    variables = {name: Variable(**row | {"shape": tuple(row["shape"])}) for name, row in described["variables"].items()}
    return ReferenceGraph(spec, graph_def, layers, variables)


def _write(path: Path, graph: ReferenceGraph) -> None:
    head = json.dumps(describe(graph)).encode()
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
    return restore(spec, graph_def, head)


def _build(source: Source, spec: GraphSpec) -> ReferenceGraph:
    tf = compat.tensorflow()
    v1 = tf.compat.v1
    pnasnet = source.load(source.kind.network)
    if not hasattr(pnasnet, f"build_pnasnet_{spec.variant}"):  # slim's first revisions had Large alone
        raise InputError(f"{source.root}: this source has no PNASNet-5 {spec.variant}")
    if spec.hparams and not source.kind.configures:
        raise InputError(f"{source.root}: the network of a {source.kind.name} checkout takes no hyper-parameters")
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
            with pnasnet.arg_scope(scope):
                net, end_points = build(images, spec.num_classes, is_training=spec.training, config=config)
        except (ValueError, AssertionError, UnboundLocalError) as error:
            raise InputError(f"the official code cannot build {spec}: {error}") from error
    layers = layers_above([net, *end_points.values()])
    variables = dict(_variables(graph, {variable.op.name for variable in graph.get_collection("model_variables")}))
    kept = [layer.tensor.partition(":")[0] for layer in layers.values()] + [row.assign for row in variables.values()]
    graph_def = v1.graph_util.extract_sub_graph(graph.as_graph_def(), kept)
    return ReferenceGraph(spec, graph_def, layers, variables)


def _variables(graph: Any, names: set[str]) -> Iterator[tuple[str, Variable]]:
    for operation in graph.get_operations():
        if operation.type == "AssignVariableOp" and operation.inputs[0].op.name in names:
            handle, value = operation.inputs
            yield handle.op.name, Variable(tuple(value.shape.as_list()), operation.name, value.name)
