"""What the training gates judge, by name, read off a port without weights."""

import re
from collections.abc import Iterable, Iterator, Mapping
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
# What the optimiser keeps of a variable that is trained, in the order in which it computes them.
SLOTS = ("rms", "momentum")
# What is kept of every variable: its moving average.
AVERAGE = "average"


def names(gate: str, network: Network) -> tuple[str, ...]:
    """Return the names that a training gate judges.

    They are layers (both forwards), moving statistics, the parts of the loss, layers and variables (gradients), or
    variables and what is kept of them (steps). Variables have TensorFlow's names.
    """
    if gate == LOSS:
        return (*LOSSES, WHOLE)
    layers, trained, statistics = _parts(network)
    if gate == STEP:
        return tuple(_after_steps(trained, statistics))
    if gate == STATISTICS:
        return statistics
    if gate in (FORWARD, FORWARD_FLOAT32):
        return layers
    layers_with_gradient = [layer for layer in layers if layer not in NO_GRADIENT]
    gradients = (*layers_with_gradient, *trained)
    if gate == EXACT:
        return tuple(filter(_has_exact_gradient, gradients))
    return gradients


def _after_steps(trained: Iterable[str], statistics: Iterable[str]) -> Iterator[str]:
    """Yield the names of all variables, of what the optimiser keeps of those `trained`, and of all averages."""
    variables = (*trained, *statistics)
    yield from variables
    for name in trained:
        for slot in SLOTS:
            yield f"{name}/{slot}"
    for name in variables:
        yield f"{name}/{AVERAGE}"


def _has_exact_gradient(name: str) -> bool:
    """Return whether the integer network's gradient reaches a layer or variable.

    It is given in front of the last mean, which divides it by the map's area and so would round it. The auxiliary head,
    whose ReLU is in no scope, is not run in evaluation.
    """
    return name == ROOT or not re.match("aux_|relu|final_layer", name)


@cache
def _parts(network: Network) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the layers, the variables that are trained, and those that are not: moving statistics."""
    import torch

    from pnasnet_torch import PNASNet, variant
    from pnasnet_torch.targets import variable_targets

    # The auxiliary head's last convolution is as large as its map, so it fits one image size only.
    image_size = (network.height, network.width)
    config = replace(variant(network.variant).config, aux_image_size=image_size)
    with torch.device("meta"):
        model = PNASNet(config)
    parameters = dict(model.named_parameters())
    trained: list[str] = []
    statistics: list[str] = []
    for name, target in variable_targets(model).items():
        if target.parameter in parameters:
            trained.append(name)
        else:
            statistics.append(name)
    return tuple(layer_modules(model)), tuple(trained), tuple(statistics)


def feeders(gate: str, layers: Mapping[str, Layer], judged: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what each name's value is computed from, in the order of the computation.

    `layers` are the official graph's, `judged` the names that the gate judges.
    """
    if gate in (FORWARD, FORWARD_FLOAT32):
        return {name: layer.inputs for name, layer in layers.items()}
    if gate == LOSS:
        *parts, total = LOSSES
        by_part: dict[str, tuple[str, ...]] = dict.fromkeys((WHOLE, *parts), ())
        by_part[total] = tuple(parts)
        return by_part
    if gate == STATISTICS:
        return dict.fromkeys(judged, ())  # each is computed from the batch alone
    if gate == STEP:
        in_order = sorted(judged, key=lambda name: (_place(name), name))
        return {name: _before(name) for name in in_order}
    if gate == EXACT:
        layers = {name: layer for name, layer in layers.items() if _has_exact_gradient(name)}
    return _backward(layers, judged)


def _backward(layers: Mapping[str, Layer], judged: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what each gradient is computed from, in the order of the computation.

    At a layer, it is computed from those at the layers that it feeds; of a variable, from that at the layer that uses
    it.
    """
    consumers: dict[str, list[str]] = {name: [] for name in layers}
    for name, layer in layers.items():
        for feeder in layer.inputs:
            if feeder in consumers:
                consumers[feeder].append(name)
    # A gradient goes from the last layer to the first.
    computed_from = {name: tuple(fed) for name, fed in reversed(consumers.items())}
    for name in judged:
        is_variable = "/" in name
        if is_variable and name not in computed_from:
            computed_from[name] = (layer_of(name),)
    return computed_from


def _place(name: str) -> int:
    """Return the place in a step of a variable (2) or of what is kept of it: rms (0), momentum (1), average (3)."""
    places = {SLOTS[0]: 0, SLOTS[1]: 1, AVERAGE: 3}
    return places.get(name.rpartition("/")[2], 2)


def _before(name: str) -> tuple[str, ...]:
    """Return what a variable, or what is kept of it, is computed from in a step, apart from gradients."""
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
