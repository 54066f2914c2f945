"""The official network in training: the loss as slim composes it, its gradients, and what it draws at random."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tf_reference import compat, graph
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, cached, official_network, part_of
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
class Draw:
    """Numbers that the network draws, uniform in [0, 1): the tensor, its shape for one image, and, for drop path, the
    tensor of the probability to keep."""

    tensor: str
    shape: tuple[int, ...]
    dtype: str
    keep_prob: str = ""


@dataclass(frozen=True)
class Update:
    """A whole step. Running `initialize` once, behind the variables' assignment, gives the slots their first values;
    `statistics` updates the moving statistics alone, `weights` the weights and the slots, `averages` the averages.
    `slots` are the tensors of what the optimiser and the averages keep, by variable and kind; `variables` those of the
    variables themselves."""

    initialize: list[str]
    statistics: list[str]
    weights: str
    averages: str
    slots: dict[str, str]
    variables: dict[str, str]

    def names(self) -> Iterator[str]:
        """Of all operations and tensors."""
        yield from (*self.initialize, *self.statistics, self.weights, self.averages)
        yield from (*self.slots.values(), *self.variables.values())


@dataclass(frozen=True)
class TrainingGraph:
    """The official training graph. Tensors by name: `draws` by the operation's, `losses` by the parts of the loss,
    `gradients` of the total by layer and by variable. `steps` all hold the training step. `regularized` are the
    variables that the loss takes the L2 norm of."""

    network: ReferenceGraph
    draws: dict[str, Draw]
    steps: tuple[str, ...]
    losses: dict[str, str]
    gradients: dict[str, str]
    regularized: tuple[str, ...]
    update: Update


def training_graph(source: Source, spec: GraphSpec) -> TrainingGraph:
    """The training graph for `spec`, from the cache where there is a sound entry, else built and stored."""

    def build() -> tuple[dict[str, Any], Any]:
        made = _build(source, spec)
        rest = {name: value for name, value in asdict(made).items() if name != "network"}
        return {"network": graph.describe(made.network), **rest}, made.network.graph_def

    found, graph_def = cached(source, spec, (*graph.CODE, "training.py"), "training", build)
    return TrainingGraph(
        graph.restore(spec, graph_def, found["network"]),
        {name: Draw(**row | {"shape": tuple(row["shape"])}) for name, row in found["draws"].items()},
        tuple(found["steps"]),
        found["losses"],
        found["gradients"],
        tuple(found["regularized"]),
        Update(**found["update"]),
    )


def _build(source: Source, spec: GraphSpec) -> TrainingGraph:
    if not (spec.training and spec.num_classes):
        raise InputError(f"a loss takes the training form with classes, not {spec}")
    v1 = compat.tensorflow().compat.v1
    with official_network(source, spec) as (made, net, end_points):
        layers = layers_above([net, *end_points.values()])
        losses = _losses(made, spec, net, end_points.get("AuxLogits"))
        variables = made.get_collection("trainable_variables")
        places = [made.get_tensor_by_name(layer.tensor) for layer in layers.values()]
        found = v1.gradients(losses["total"], [*places, *variables])
        names = [*layers, *(variable.op.name for variable in variables)]
        gradients = {name: tensor.name for name, tensor in zip(names, found, strict=True) if tensor is not None}
        tensors = {name: tensor.name for name, tensor in losses.items()}
        update = _update(made, [(found[len(places) + place], variable) for place, variable in enumerate(variables)])
        kept = [name.partition(":")[0] for name in (*tensors.values(), *gradients.values(), *update.names())]
        network = part_of(made, spec, layers, kept)
        operations = {node.name for node in network.graph_def.node}
        reads = [op for op in made.get_operations() if op.type == "ReadVariableOp" and op.name in operations]
        steps = tuple(op.outputs[0].name for op in reads if op.inputs[0].op.name == "global_step")
        regularized = tuple(_regularized(made))
        return TrainingGraph(network, dict(_draws(made, operations)), steps, tensors, gradients, regularized, update)


def _update(made: Any, gradients: Sequence[tuple[Any, Any]]) -> Update:
    """slim's optimiser for this network, behind clipping by the global norm, and averages of weights and statistics."""
    tf = compat.tensorflow()
    v1 = tf.compat.v1
    rate, step = v1.placeholder("float64", [], name=RATE), v1.placeholder("float64", [], name=STEP)
    clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], CLIP_NORM)
    optimizer = v1.train.RMSPropOptimizer(rate, RMSPROP_DECAY, RMSPROP_MOMENTUM, epsilon=RMSPROP_EPSILON)
    variables = [variable for _, variable in gradients]
    weights = optimizer.apply_gradients(zip(clipped, variables, strict=True))
    model = made.get_collection("model_variables")
    averages = v1.train.ExponentialMovingAverage(AVERAGE_DECAY, num_updates=step)
    averaged = averages.apply(model)
    kept = {
        f"{variable.op.name}/{name}": optimizer.get_slot(variable, name) for name in SLOTS for variable in variables
    }
    kept |= {f"{variable.op.name}/average": averages.average(variable) for variable in model}
    return Update(
        [slot.initializer.name for slot in kept.values()],
        [operation.name for operation in made.get_collection("update_ops")],
        weights.name,
        averaged.name,
        {name: slot.read_value().name for name, slot in kept.items()},
        {variable.op.name: variable.read_value().name for variable in model},
    )


def _losses(made: Any, spec: GraphSpec, logits: Any, aux_logits: Any) -> dict[str, Any]:
    """What slim.losses.softmax_cross_entropy and model_deploy add up; but theirs rounds to float32 on the way."""
    tf = compat.tensorflow()
    labels = tf.compat.v1.placeholder("int64", [None], name=LABELS)
    truth = tf.one_hot(labels, spec.num_classes, dtype=spec.dtype)
    smooth = truth * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / spec.num_classes

    def cross_entropy(output: Any) -> Any:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=smooth, logits=output))

    parts = {"cross_entropy": cross_entropy(logits)}
    if aux_logits is not None:
        parts["auxiliary"] = AUX_WEIGHT * cross_entropy(aux_logits)
    parts["regularization"] = tf.add_n(made.get_collection("regularization_losses"))
    return parts | {"total": tf.add_n(list(parts.values()))}


def _regularized(made: Any) -> Iterator[str]:
    """The variables above the regularization losses, each of which has one."""
    for loss in made.get_collection("regularization_losses"):
        (name,) = _variables_above(loss.op)
        yield name


def _variables_above(operation: Any) -> set[str]:
    if operation.type == "VarHandleOp":
        return {operation.name}
    return set().union(*(_variables_above(tensor.op) for tensor in operation.inputs))


def _draws(made: Any, operations: set[str]) -> Iterator[tuple[str, Draw]]:
    for operation in made.get_operations():
        if operation.type == "RandomUniform" and operation.name in operations:
            output = operation.outputs[0]
            name, dtype = draw_name(operation.name), output.dtype.name
            if name.endswith("dropout"):
                yield name, Draw(output.name, tuple(output.shape.as_list()[1:]), dtype)
            else:
                (consumer,) = output.consumers()
                (keep_prob,) = (tensor for tensor in consumer.inputs if tensor is not output)
                yield name, Draw(output.name, (1, 1, 1), dtype, keep_prob.name)


def draw_name(path: str) -> str:
    """What draws: `cell_0/comb_iter_1/left/random_uniform/RandomUniform` is `cell_0.comb_iter_1.drop_path.left`.

    Raises InputError for anything but drop path and dropout.
    """
    scope = path.partition("/random_uniform")[0]
    if match := re.fullmatch(r"(cell_\w+)/(comb_iter_\d)/(left|right)", scope):
        cell, combination, side = match.groups()
        return f"{cell}.{combination}.drop_path.{side}"
    if match := re.fullmatch(r"(\w+)/dropout(/dropout\w*)?", scope):
        return f"{match[1]}.dropout"
    raise InputError(f"the official graph draws numbers in a place that is unknown: {path}")
