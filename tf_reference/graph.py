"""Builds the official network as a TensorFlow graph, or takes it from the cache."""

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tf_reference import compat
from tf_reference.cache import cache_dir, replacing
from tf_reference.errors import InputError
from tf_reference.layers import IMAGES, Layer, describe_layers, layers_above, restore_layers
from tf_reference.official import Source

log = logging.getLogger(__name__)

# The modules of this package that shape a graph.
CODE = ("graph.py", "layers.py", "compat.py")


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

    def build() -> tuple[dict[str, Any], Any]:
        graph = _build(source, spec)
        return describe(graph), graph.graph_def

    described, graph_def = cached(source, spec, CODE, "graph", build)
    return restore(spec, graph_def, described)


def cached(
    source: Source, spec: GraphSpec, code: Sequence[str], suffix: str, build: Callable[[], tuple[dict[str, Any], Any]]
) -> tuple[dict[str, Any], Any]:
    """What `build` gives, plain data and a GraphDef: from the cache where there is a sound entry, else built and
    stored. `code` are this package's modules that it depends on."""
    place = f"{spec.variant}-{spec.height}x{spec.width}-{spec.dtype}-{_key(source, spec, code)[:16]}.{suffix}"
    path = cache_dir("graphs") / place
    try:
        return _read(path)
    except FileNotFoundError:
        log.info("building the official graph: %s", spec)
    except ValueError as error:
        log.warning("rebuilding the official graph: %s", error)
    built = build()
    _write(path, *built)
    return built


def _key(source: Source, spec: GraphSpec, code: Sequence[str]) -> str:
    """A digest of all that shapes a graph: the spec, the official source, the versions below it, and this package."""
    versions = [importlib.metadata.version(name) for name in ("tensorflow", "tf-slim", "tf-keras")]
    digests = [hashlib.sha256(Path(__file__).with_name(name).read_bytes()).hexdigest() for name in code]
    return hashlib.sha256(json.dumps([asdict(spec), source.fingerprint, versions, digests]).encode()).hexdigest()


def describe(graph: ReferenceGraph) -> dict[str, Any]:
    """The graph's layers and variables as plain data, for JSON."""
    return {
        "layers": describe_layers(graph.layers),
        "variables": {name: asdict(variable) for name, variable in graph.variables.items()},
    }


def restore(spec: GraphSpec, graph_def: Any, described: dict[str, Any]) -> ReferenceGraph:
    """The graph that was described; without a `graph_def` it cannot be run."""
    variables = {name: Variable(**row | {"shape": tuple(row["shape"])}) for name, row in described["variables"].items()}
    return ReferenceGraph(spec, graph_def, restore_layers(described["layers"]), variables)


def _write(path: Path, described: dict[str, Any], graph_def: Any) -> None:
    head = json.dumps(described).encode()
    body = len(head).to_bytes(8) + head + graph_def.SerializeToString(deterministic=True)
    with replacing(path) as temporary:
        temporary.write_bytes(hashlib.sha256(body).digest() + body)


def _read(path: Path) -> tuple[dict[str, Any], Any]:
    content = path.read_bytes()
    digest, body = content[:32], memoryview(content)[32:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(f"{path} is damaged: its checksum does not fit")
    end = 8 + int.from_bytes(body[:8])
    head = json.loads(bytes(body[8:end]))
    return head, compat.tensorflow().compat.v1.GraphDef.FromString(bytes(body[end:]))


def _build(source: Source, spec: GraphSpec) -> ReferenceGraph:
    with official_network(source, spec) as (graph, net, end_points):
        return part_of(graph, spec, layers_above([net, *end_points.values()]), [])


@contextmanager
def official_network(source: Source, spec: GraphSpec) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """The official network as its own code builds it: the graph, which is the default one meanwhile, its output, and
    its end points. Raises InputError where the code cannot build it."""
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
        yield graph, net, end_points


def part_of(graph: Any, spec: GraphSpec, layers: dict[str, Layer], operations: Sequence[str]) -> ReferenceGraph:
    """What of a graph computes `layers` and `operations`, and assigns variables."""
    v1 = compat.tensorflow().compat.v1
    variables = dict(_variables(graph, {variable.op.name for variable in graph.get_collection("model_variables")}))
    kept = [layer.tensor.partition(":")[0] for layer in layers.values()] + [row.assign for row in variables.values()]
    graph_def = v1.graph_util.extract_sub_graph(graph.as_graph_def(), [*kept, *operations])
    return ReferenceGraph(spec, graph_def, layers, variables)


def _variables(graph: Any, names: set[str]) -> Iterator[tuple[str, Variable]]:
    for operation in graph.get_operations():
        if operation.type == "AssignVariableOp" and operation.inputs[0].op.name in names:
            handle, value = operation.inputs
            yield handle.op.name, Variable(tuple(value.shape.as_list()), operation.name, value.name)
