"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from parity.capture import PortError, run
from parity.layers import WHOLE, Network, block, layer_of
from parity.port import Make, make_model
from parity.result import Check, LayerResult
from parity.subject import subject
from tf_reference.graph import ReferenceGraph

GATE = "structure"
# `layer` or `variable`, and its name.
Part = tuple[str, str]
# What each is: its shape, and of a layer the dtype.
Parts = dict[Part, str]
LISTED = 20


class PortParts(NamedTuple):
    """The port's variables, and those of its `layers` that it reaches, with their shapes; and what went wrong in it.

    Official layers that are `unseen` in it cannot be judged.
    """

    found: Parts
    layers: frozenset[str]
    failure: PortError | None
    unseen: frozenset[str] = frozenset()


def compare_parts(
    network: Network, graph: ReferenceGraph, names: Iterable[str], port: PortParts
) -> dict[str, LayerResult]:
    """Results for `names`, each a layer with its variables, a block with all that lies in it, or the whole network."""
    official = {
        ("layer", name): f"{layer.shape[1:]} {layer.dtype}"
        for name, layer in graph.layers.items()
        if name not in port.unseen
    }
    official |= {("variable", name): str(variable.shape) for name, variable in graph.variables.items()}
    keys_of: defaultdict[str, list[Part]] = defaultdict(list)
    for key in {**official, **port.found}:
        layer = layer_of(key[1]) if key[0] == "variable" else key[1]
        for name in {layer, block(layer), WHOLE}:
            keys_of[name].append(key)
    return {name: _result(network, name, keys_of[name], port.found, official, port.failure) for name in names}


def port_parts(network: Network, make: Make = make_model, images: int = 0) -> PortParts:
    """What the port has, from a forward of so many `images`. Whatever a faulty port raises is its result."""
    found: Parts = {}

    def after(name: str, output: torch.Tensor) -> None:
        found["layer", name] = _describe(output)

    try:
        judged = subject(make(network, "float32"))
        layers = frozenset(judged.layers)
        found |= {("variable", name): str(tuple(tensor.shape)) for name, tensor in judged.variables().items()}
    except Exception as error:
        return PortParts(found, frozenset(), PortError("", error))
    try:
        run(judged, torch.zeros(images, 3, network.height, network.width), after=after)
    except PortError as error:
        return PortParts(found, layers, error)
    return PortParts(found, layers, None)


def _describe(output: torch.Tensor) -> str:
    shape = output.permute(0, 2, 3, 1).shape if output.ndim == 4 else output.shape
    return f"{tuple(shape[1:])} {str(output.dtype).removeprefix('torch.')}"


def _result(
    network: Network,
    name: str,
    keys: Sequence[Part],
    port: Parts,
    official: Parts,
    failure: PortError | None,
) -> LayerResult:
    wrong = [key for key in keys if port.get(key) != official.get(key)]
    differences = [
        f"{kind} {part}: port {port.get((kind, part), 'has none')}, official {official.get((kind, part), 'has none')}"
        for kind, part in wrong
    ]
    # What was reached before the port failed is judged by itself.
    unreached = any(key not in port for key in keys)
    problem = str(failure) if failure and unreached else "" if keys else "neither side has it"
    check = Check(f"differences in {len(keys):,} layers and variables", len(differences), 0)
    more = [f"and {len(differences) - LISTED:,} more"] if len(differences) > LISTED else []
    reached = failure is None or not unreached or failure.layer == name or any(key in port for key in wrong)
    notes = (*differences[:LISTED], *more)
    return LayerResult(GATE, str(network), name, (check,), problem, notes=notes, reached=reached)
