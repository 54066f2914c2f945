"""What the training gates judge, by name, read off a port without weights."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

from parity.core.layers import WHOLE, Network, layer_modules, layer_of
from parity.core.policy import TRAINING_GATES
from tf_reference.backward import ROOT
from tf_reference.layers import Layer

LOSSES = ("cross_entropy", "auxiliary", "regularization", "total")
ALONE = "one of the sides alone has it"
# No loss depends on it.
NO_GRADIENT = frozenset({"final_layer.predictions"})
FORWARD, FORWARD_FLOAT32, STATISTICS, LOSS, EXACT, GRADIENT, GRADIENT_FLOAT32, STEP = TRAINING_GATES
# What is kept of a variable that is trained, and of every variable.
SLOTS, AVERAGE = ("rms", "momentum"), "average"


def names(gate: str, network: Network) -> tuple[str, ...]:
    """Of a training gate: layers, the parts of the loss, layers and variables (by TensorFlow's names), or variables and
    what is kept of them."""
    if gate == LOSS:
        return (*LOSSES, WHOLE)
    layers, variables, statistics = _parts(network)
    if gate == STEP:
        slots = (f"{name}/{slot}" for name in variables for slot in SLOTS)
        everything = (*variables, *statistics)
        return (*everything, *slots, *(f"{name}/{AVERAGE}" for name in everything))
    if gate == STATISTICS:
        return statistics
    if gate in (FORWARD, FORWARD_FLOAT32):
        return layers
    found = (*(layer for layer in layers if layer not in NO_GRADIENT), *variables)
    return tuple(filter(_in_evaluation, found)) if gate == EXACT else found


def _in_evaluation(name: str) -> bool:
    """Whether it is in front of the last mean and not of the auxiliary head, whose ReLU is in no scope."""
    return name == ROOT or not re.match("aux_|relu|final_layer", name)


@cache
def _parts(network: Network) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The layers, the variables that are trained, and those that are not: moving statistics."""
    import torch

    from pnasnet_torch import PNASNet, variant
    from pnasnet_torch.weights import variable_targets

    config = replace(variant(network.variant).config, aux_image_size=(network.height, network.width))
    with torch.device("meta"):
        model = PNASNet(config)
    trained = {name for name, _ in model.named_parameters()}
    targets = variable_targets(model)
    variables = tuple(name for name, target in targets.items() if target.parameter in trained)
    return tuple(layer_modules(model)), variables, tuple(name for name in targets if name not in variables)


def feeders(gate: str, layers: Mapping[str, Layer], judged: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What each name's value is computed from, in the order of the computation.

    `layers` are the official graph's, `judged` the names that the gate judges.
    """
    if gate in (FORWARD, FORWARD_FLOAT32):
        return {name: layer.inputs for name, layer in layers.items()}
    if gate == LOSS:
        *parts, total = LOSSES
        return {WHOLE: (), **dict.fromkeys(parts, ()), total: tuple(parts)}
    if gate == STATISTICS:
        return dict.fromkeys(judged, ())  # each is computed from the batch alone
    if gate == STEP:
        in_order = sorted(judged, key=lambda name: (_place(name), name))
        return {name: _before(name) for name in in_order}
    if gate == EXACT:
        layers = {name: layer for name, layer in layers.items() if _in_evaluation(name)}
    return _backward(layers, judged)


def _backward(layers: Mapping[str, Layer], judged: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What each gradient is computed from: at a layer, from those of the layers that it feeds; of a variable, from that
    of the layer that uses it."""
    consumers: dict[str, list[str]] = {name: [] for name in layers}
    for name, layer in layers.items():
        for feeder in layer.inputs:
            if feeder in consumers:
                consumers[feeder].append(name)
    found = {name: tuple(fed) for name, fed in reversed(consumers.items())}
    for name in judged:
        is_variable = "/" in name
        if is_variable and name not in found:
            found[name] = (layer_of(name),)
    return found


def _place(name: str) -> int:
    """Where in a step a variable, or what is kept of it, comes."""
    return {SLOTS[0]: 0, SLOTS[1]: 1, AVERAGE: 3}.get(name.rpartition("/")[2], 2)


def _before(name: str) -> tuple[str, ...]:
    """In a step, what the variable, or what is kept of it, is computed from."""
    variable = name.rpartition("/")[0]
    match _place(name):
        case 0:
            return ()
        case 1:
            return (f"{variable}/{SLOTS[0]}",)
        case 2:
            return (f"{name}/{SLOTS[1]}",)
        case _:
            return (variable,)
