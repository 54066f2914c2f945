"""Builds the official network as a TensorFlow graph, or takes it from the cache."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

from tf_reference import compat
from tf_reference.errors import InputError
from tf_reference.graph_cache import GraphKind
from tf_reference.layers import IMAGES, Layer, describe_layers, layers_above, restore_layers
from tf_reference.official import Source

# The modules of this package that shape a graph, or its entry in the cache.
CODE = ("graph.py", "graph_cache.py", "layers.py", "compat.py")


@dataclass(frozen=True)
class GraphSpec:
    """Everything that shapes the official graph; sizes in pixels.

    `training` builds the training form: batch statistics, drop path, dropout, and the auxiliary head, which the
    official code has in no other form. `hparams` overrides values of the official configuration, which not every
    official source takes.
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

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each variable."""
        return {name: variable.shape for name, variable in self.variables.items()}


def reference_graph(source: Source, spec: GraphSpec) -> ReferenceGraph:
    """Return the graph for `spec`, from the cache where there is a sound entry, else built and stored (seconds)."""
    described, graph_def = REFERENCE.get(source, spec)
    return restore(spec, graph_def, described)


def describe(graph: ReferenceGraph) -> dict[str, Any]:
    """Return the graph's layers and variables as plain data, for JSON."""
    variables = {name: asdict(variable) for name, variable in graph.variables.items()}
    return {"layers": describe_layers(graph.layers), "variables": variables}


def restore(spec: GraphSpec, graph_def: Any, described: dict[str, Any]) -> ReferenceGraph:
    """Return the graph that was described; without a `graph_def` it cannot be run."""
    variables = {}
    for name, row in described["variables"].items():
        # JSON makes lists of tuples.
        shape = tuple(row["shape"])
        variables[name] = Variable(shape, row["assign"], row["value"])
    return ReferenceGraph(spec, graph_def, restore_layers(described["layers"]), variables)


def _build(source: Source, spec: GraphSpec) -> tuple[dict[str, Any], Any]:
    with official_network(source, spec) as (tf_graph, logits, end_points):
        layers = layers_above([logits, *end_points.values()])
        graph = part_of(tf_graph, spec, layers, [])
        return describe(graph), graph.graph_def


REFERENCE = GraphKind("graph", CODE, _build)


@contextmanager
def official_network(source: Source, spec: GraphSpec) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Yield the official network as its own code builds it: the graph, the logits, and the end points.

    The graph is the default one meanwhile. Raise InputError where the code cannot build the network.
    """
    tf = compat.tensorflow()
    v1 = tf.compat.v1
    pnasnet = source.load(source.kind.network)
    config = _configuration(source, spec, pnasnet)
    scope = getattr(pnasnet, f"pnasnet_{spec.variant}_arg_scope")()
    build = getattr(pnasnet, f"build_pnasnet_{spec.variant}")
    with tf.Graph().as_default() as tf_graph, compat.building():
        shape_nhwc = [None, spec.height, spec.width, 3]
        images = v1.placeholder(spec.dtype, shape_nhwc, name=IMAGES)
        # Without one, the official training graph creates its global step inside the first cell's scope.
        v1.train.get_or_create_global_step()
        try:
            with pnasnet.arg_scope(scope):
                logits, end_points = build(images, spec.num_classes, is_training=spec.training, config=config)
        # As for images that are too small, and for hyper-parameters that do not go together.
        except (ValueError, AssertionError, UnboundLocalError) as error:
            raise InputError(f"the official code cannot build {spec}: {error}") from error
        yield tf_graph, logits, end_points


def _configuration(source: Source, spec: GraphSpec, pnasnet: ModuleType) -> Any:
    """Return the official configuration of the variant, with the hyper-parameters of `spec`.

    Raise InputError where the official source `pnasnet` has no such variant or takes no hyper-parameters.
    """
    if not hasattr(pnasnet, f"build_pnasnet_{spec.variant}"):  # slim's first revisions had Large alone
        raise InputError(f"{source.root}: this source has no PNASNet-5 {spec.variant}")
    if spec.hparams and not source.kind.configures:
        raise InputError(f"{source.root}: the network of a {source.kind.name} checkout takes no hyper-parameters")
    config = getattr(pnasnet, f"{spec.variant}_imagenet_config")()
    for name, value in spec.hparams:
        config.set_hparam(name, value)
    return config


def part_of(tf_graph: Any, spec: GraphSpec, layers: dict[str, Layer], others: Iterable[str]) -> ReferenceGraph:
    """Return the part of a TensorFlow graph that computes `layers`, assigns variables, and computes `others`.

    Those are names of operations and tensors.
    """
    v1 = compat.tensorflow().compat.v1
    # Without the global step, which is no variable of the model.
    model_variables = {variable.op.name for variable in tf_graph.get_collection("model_variables")}
    variables = dict(_variables(tf_graph, model_variables))
    needed = list(_needed(layers, variables, others))
    graph_def = v1.graph_util.extract_sub_graph(tf_graph.as_graph_def(), needed)
    return ReferenceGraph(spec, graph_def, layers, variables)


def _needed(layers: Mapping[str, Layer], variables: Mapping[str, Variable], others: Iterable[str]) -> Iterator[str]:
    """Yield the operations that compute `layers`, that assign `variables`, and that compute `others`."""
    for layer in layers.values():
        yield operation_of(layer.tensor)
    for variable in variables.values():
        yield variable.assign
    for name in others:
        yield operation_of(name)


def _variables(tf_graph: Any, names: set[str]) -> Iterator[tuple[str, Variable]]:
    """Yield the variables of these names with what sets each: the assignment of its initial value."""
    for operation in tf_graph.get_operations():
        if operation.type == "AssignVariableOp" and operation.inputs[0].op.name in names:
            handle, value = operation.inputs
            shape = tuple(value.shape.as_list())
            yield handle.op.name, Variable(shape, operation.name, value.name)


def differentiable(tf_graph: Any, layers: Mapping[str, Layer]) -> dict[str, Any]:
    """Return what gradients are taken by, by name: first the layers' outputs, then all weights as variables."""
    by_name = {}
    for name, layer in layers.items():
        by_name[name] = tf_graph.get_tensor_by_name(layer.tensor)
    for variable in tf_graph.get_collection("trainable_variables"):
        by_name[variable.op.name] = variable
    return by_name


def gradient_tensors(names: Iterable[str], gradients: Sequence[Any]) -> dict[str, str]:
    """Return the tensors of the `gradients`, by the name of what each is of; nothing where there is no gradient."""
    tensors = {}
    for name, gradient in zip(names, gradients, strict=True):
        # None for the variables behind the last map, and for the predictions, which no loss depends on.
        if gradient is not None:
            tensors[name] = gradient.name
    return tensors


def operation_of(tensor: str) -> str:
    """Return the name of the operation that computes a tensor: `conv0/Conv2D` for `conv0/Conv2D:0` or itself."""
    return tensor.partition(":")[0]
