"""The official network in training: the loss as slim composes it, its gradients, and what it draws at random."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tf_reference import compat, graph
from tf_reference.draws import Draw, draws_of
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, differentiable, gradient_tensors, official_network, part_of
from tf_reference.graph_cache import GraphKind
from tf_reference.layers import layers_above
from tf_reference.official import Source

# research/slim/train_image_classifier.py: labels smoothed as published for this network, weight of the auxiliary loss.
LABEL_SMOOTHING = 0.1
AUX_WEIGHT = 0.4
# And its optimiser, with what is published for this network.
RMSPROP_DECAY, RMSPROP_MOMENTUM, RMSPROP_EPSILON = 0.9, 0.9, 1.0
CLIP_NORM = 10.0
AVERAGE_DECAY = 0.9999
SLOTS = ("rms", "momentum")
# What is fed.
LABELS, RATE, STEP = "labels", "learning_rate", "step"


@dataclass(frozen=True)
class Update:
    """What a whole step does besides updating the moving statistics, as names of operations and tensors.

    Running `initialize` once, after the variables were assigned, gives the slots their first values; `weights` updates
    the weights and the slots, `averages` the averages. `slots` are the tensors of what the optimiser and the averages
    keep, by variable and kind.
    """

    initialize: list[str]
    weights: str
    averages: str
    slots: dict[str, str]

    def names(self) -> Iterator[str]:
        """Yield the names of all operations and tensors."""
        yield from (*self.initialize, self.weights, self.averages, *self.slots.values())


@dataclass(frozen=True)
class TrainingGraph:
    """The official training graph.

    Tensors by name: `draws` by the operation's, `losses` by the parts of the loss, `gradients` of the total by layer
    and by variable, the `variables` themselves. `steps` all hold the training step. `regularized` are the variables
    that the loss takes the L2 norm of. Running the operations `statistics` updates the moving statistics alone. The
    `update` is there where the graph was built for whole steps.
    """

    network: ReferenceGraph
    draws: dict[str, Draw]
    steps: tuple[str, ...]
    losses: dict[str, str]
    gradients: dict[str, str]
    regularized: tuple[str, ...]
    statistics: list[str]
    variables: dict[str, str]
    update: Update | None

    @property
    def others(self) -> list[str]:
        """The names of all operations and tensors that can be run besides the layers."""
        return _others(self.losses, self.gradients, self.statistics, self.variables, self.update)


def training_graph(source: Source, spec: GraphSpec, whole_steps: bool = False) -> TrainingGraph:
    """Return the training graph for `spec`, from the cache where there is a sound entry, else built and stored.

    With the update of `whole_steps` it takes twice as long to build. Raise InputError if `spec` is not of the training
    form, or has no classes.
    """
    described, graph_def = (WHOLE_STEPS if whole_steps else TRAINING).get(source, spec)
    draws = {}
    for name, row in described["draws"].items():
        # JSON makes lists of tuples.
        draws[name] = Draw(**row | {"shape": tuple(row["shape"])})
    return TrainingGraph(
        network=graph.restore(spec, graph_def, described["network"]),
        draws=draws,
        steps=tuple(described["steps"]),
        losses=described["losses"],
        gradients=described["gradients"],
        regularized=tuple(described["regularized"]),
        statistics=described["statistics"],
        variables=described["variables"],
        update=Update(**described["update"]) if described["update"] else None,
    )


def _build(source: Source, spec: GraphSpec, whole_steps: bool) -> tuple[dict[str, Any], Any]:
    if not (spec.training and spec.num_classes):
        raise InputError(f"a loss takes the training form with classes, not {spec}")
    v1 = compat.tensorflow().compat.v1
    with official_network(source, spec) as (tf_graph, logits, end_points):
        layers = layers_above([logits, *end_points.values()])
        loss_tensors = _losses(tf_graph, spec, logits, end_points.get("AuxLogits"))
        losses = {name: tensor.name for name, tensor in loss_tensors.items()}
        sources = differentiable(tf_graph, layers)
        gradients = v1.gradients(loss_tensors["total"], list(sources.values()))
        tensors = gradient_tensors(sources, gradients)
        statistics = [operation.name for operation in tf_graph.get_collection("update_ops")]
        model_variables = tf_graph.get_collection("model_variables")
        variables = {variable.op.name: variable.read_value().name for variable in model_variables}
        # Of the gradients, those of the weights come behind those of the layers.
        update = _update(tf_graph, gradients[len(layers) :]) if whole_steps else None
        network = part_of(tf_graph, spec, layers, _others(losses, tensors, statistics, variables, update))
        operations = {node.name for node in network.graph_def.node}
        draws = dict(draws_of(tf_graph, operations))
        steps = tuple(_steps(tf_graph, operations))
        regularized = tuple(_regularized(tf_graph))
        training = TrainingGraph(network, draws, steps, losses, tensors, regularized, statistics, variables, update)
        described = asdict(training)
        described["network"] = graph.describe(network)
        return described, network.graph_def


CODE = (*graph.CODE, "draws.py", "training.py")
TRAINING = GraphKind("training", CODE, partial(_build, whole_steps=False))
WHOLE_STEPS = GraphKind("steps", CODE, partial(_build, whole_steps=True))


def _others(
    losses: dict[str, str],
    gradients: dict[str, str],
    statistics: list[str],
    variables: dict[str, str],
    update: Update | None,
) -> list[str]:
    """Return the names of what can be run besides the layers."""
    names = [*losses.values(), *gradients.values(), *statistics, *variables.values()]
    if update:
        names += update.names()
    return names


def _update(tf_graph: Any, gradients: Sequence[Any]) -> Update:
    """Add slim's optimiser of the weights by clipped `gradients`, and the averages of weights and statistics."""
    tf = compat.tensorflow()
    v1 = tf.compat.v1
    rate = v1.placeholder("float64", [], name=RATE)
    step = v1.placeholder("float64", [], name=STEP)
    clipped, _ = tf.clip_by_global_norm(gradients, CLIP_NORM)
    optimizer = v1.train.RMSPropOptimizer(rate, RMSPROP_DECAY, RMSPROP_MOMENTUM, epsilon=RMSPROP_EPSILON)
    trainable = tf_graph.get_collection("trainable_variables")
    weights = optimizer.apply_gradients(zip(clipped, trainable, strict=True))
    model_variables = tf_graph.get_collection("model_variables")
    averages = v1.train.ExponentialMovingAverage(AVERAGE_DECAY, num_updates=step)
    averaged = averages.apply(model_variables)
    slots = dict(_slots(optimizer, trainable, averages, model_variables))
    return Update(
        initialize=[slot.initializer.name for slot in slots.values()],
        weights=weights.name,
        averages=averaged.name,
        slots={name: slot.read_value().name for name, slot in slots.items()},
    )


def _slots(optimizer: Any, weights: Sequence[Any], averages: Any, averaged: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield what the optimiser keeps of the weights, and the averages, by variable and kind."""
    for kind in SLOTS:
        for variable in weights:
            yield f"{variable.op.name}/{kind}", optimizer.get_slot(variable, kind)
    for variable in averaged:
        yield f"{variable.op.name}/average", averages.average(variable)


def _losses(tf_graph: Any, spec: GraphSpec, logits: Any, aux_logits: Any) -> dict[str, Any]:
    """Return the parts of the loss and their total, as slim.losses.softmax_cross_entropy and model_deploy add them up.

    Not by slim's own functions: these round to float32 on the way.
    """
    tf = compat.tensorflow()
    labels = tf.compat.v1.placeholder("int64", [None], name=LABELS)
    truth = tf.one_hot(labels, spec.num_classes, dtype=spec.dtype)
    smooth = truth * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / spec.num_classes

    def cross_entropy(output: Any) -> Any:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=smooth, logits=output))

    parts = {"cross_entropy": cross_entropy(logits)}
    if aux_logits is not None:
        parts["auxiliary"] = AUX_WEIGHT * cross_entropy(aux_logits)
    parts["regularization"] = tf.add_n(tf_graph.get_collection("regularization_losses"))
    parts["total"] = tf.add_n(list(parts.values()))
    return parts


def _steps(tf_graph: Any, operations: set[str]) -> Iterator[str]:
    """Yield the tensors that hold the training step: each place that reads it does so by an operation of its own."""
    for operation in tf_graph.get_operations():
        is_read = operation.type == "ReadVariableOp" and operation.name in operations
        if is_read and operation.inputs[0].op.name == "global_step":
            yield operation.outputs[0].name


def _regularized(tf_graph: Any) -> Iterator[str]:
    """Yield the variables that the regularization losses are computed from, each of which has one."""
    for loss in tf_graph.get_collection("regularization_losses"):
        (name,) = _variables_above(loss.op)
        yield name


def _variables_above(operation: Any) -> set[str]:
    """Return the names of the variables that an operation computes from."""
    if operation.type == "VarHandleOp":
        return {operation.name}
    names = set()
    for tensor in operation.inputs:
        names |= _variables_above(tensor.op)
    return names
