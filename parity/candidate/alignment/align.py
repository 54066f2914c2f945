"""A model aligned with the official network: an adapter that nobody had to write."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parity.candidate.adapter import ALIGNED, Adapter
from parity.candidate.alignment.matching import Graph, match
from parity.candidate.alignment.recording import UNORDERED, Giver, Operation, record
from parity.core.layers import Network, layer_modules
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.naming import parse_scheme
from pnasnet_torch.weights import empty_network


@dataclass(frozen=True)
class Alignment:
    """What was found: by official layer the path of a module, and of those without one why there is none.

    `owners` has the module that holds a layer's weights, `together` the layers whose module does more than they do, and
    `vectors` those that are maps of one pixel in the model.
    """

    variant: str
    owners: dict[str, str]
    modules: dict[str, str]
    reasons: dict[str, str]
    together: tuple[str, ...]
    vectors: tuple[str, ...]

    @property
    def adapter(self) -> Adapter:
        """The adapter that says the same."""
        places = {**self.modules, **self.owners}
        rules = {re.escape(layer): path.replace("\\", r"\\") for layer, path in places.items()}
        names = parse_scheme(ALIGNED, {"modules": rules, "variants": [self.variant]})
        return Adapter(
            names,
            unobservable=tuple(map(re.escape, self.reasons)),
            not_replayable=tuple(map(re.escape, self.together)),
            vectors=self.vectors,
        )

    def toml(self) -> str:
        """Return the adapter as a file, to be read, corrected and kept."""
        lines = ["# Found by pnasnet-parity align: official layers, and the modules that give them."]
        lines.append(f"variants = {json.dumps([self.variant])}")
        for key, layers in (("unobservable", self.reasons), ("not_replayable", self.together)):
            lines += _listed(key, map(re.escape, layers))
        lines += _listed("vectors", self.vectors)
        lines += ["", "[modules]"]
        places = {**self.modules, **self.owners}
        lines += [f"'{re.escape(layer)}' = {json.dumps(path)}" for layer, path in places.items()]
        return "\n".join(lines) + "\n"


def _listed(key: str, values: "Iterator[str] | tuple[str, ...]") -> list[str]:
    """Return an entry of a TOML file, a value a line."""
    return [f"{key} = [", *(f"    '{value}'," for value in values), "]"]


def align(model: nn.Module, run: Callable[[Tensor], object], network: Network) -> Alignment:
    """Return which module of a model in evaluation mode, which `run` runs on images, gives which official layer.

    What is known of the official network is the port's forward. Raises whatever the model raises.
    """
    images = torch.zeros(1, 3, network.height, network.width)
    port = _port(network)
    official = record(port, port.predict, images)
    candidate = record(model, run, images)
    official_graph, candidate_graph = Graph(official), Graph(candidate)
    matches = match(official_graph, candidate_graph)
    alike: dict[Operation, list[Operation]] = {}
    for operation in candidate.operations:
        alike.setdefault(candidate_graph.first[operation], []).append(operation)
    found = Alignment(network.variant, {}, {}, {}, (), ())
    together, vectors = [], []
    counted: dict[Operation, int] = {}
    by_layer = {giver.path: (operation, giver) for operation in official.operations for giver in operation.givers}
    for layer in layer_modules(port):
        operation, own = by_layer[layer]
        first = official_graph.first[operation]
        matched = matches.get(first)
        if matched is None:
            found.reasons[layer] = "no operation of the model is clearly this one"
            continue
        # Where both compute the same several times, in their order; where the model does it once, that one.
        several = alike[matched]
        number = counted.get(first, 0)
        counted[first] = number + 1
        other = several[min(number, len(several) - 1)]
        owner = _owner(other)
        if owner:
            found.owners[layer] = owner
        giver = _giver(operation, other, owner)
        if giver is None:
            found.reasons[layer] = f"no module gives what its {other.kind} gives"
            continue
        if _pixels(giver.shape) != _pixels(operation.shape) and _is_cut(candidate_graph, matched):
            found.reasons[layer] = "the model computes it on a larger map, of which a part is cut off behind it"
            continue
        found.modules[layer] = giver.path
        # It takes what the port's module takes, and not more of it, or less.
        if giver.taken is None or list(map(_pixels, giver.taken)) != list(map(_pixels, own.taken or ())):
            together.append(layer)
        if len(operation.shape) == 2 and len(giver.shape) == 4:
            vectors.append(layer)
    return Alignment(found.variant, found.owners, found.modules, found.reasons, tuple(together), tuple(vectors))


def _port(network: Network) -> PNASNet:
    """Return the port, whatever its weights are."""
    return empty_network(variant(network.variant).config)


def _owner(operation: Operation) -> str:
    """Return the module whose parameters an operation takes; empty where it takes none, or those of several."""
    owners = {name.rpartition(".")[0] for name in operation.parameters}
    return owners.pop() if len(owners) == 1 else ""


def _giver(official: Operation, operation: Operation, owner: str) -> Giver | None:
    """Return the module that gives an operation's output; the innermost that gives it in the official shape."""
    givers = [giver for giver in operation.givers if not owner or giver.path == owner]
    in_shape = [giver for giver in givers if _pixels(giver.shape) == _pixels(official.shape)]
    return next(iter(in_shape or givers), None)


def _is_cut(graph: Graph, operation: Operation) -> bool:
    """Return whether a part of what an operation gives is cut off, there or behind what it alone feeds."""
    last = operation
    while not last.cut:
        consumers = {consumer for consumer, _place in graph.consumers[last]}
        if len(consumers) != 1:
            return False
        last = consumers.pop()
        if last.kind in UNORDERED:
            return False
    return True


def _pixels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape in which a vector is a map of one pixel."""
    return (*shape, 1, 1) if len(shape) == 2 else shape
