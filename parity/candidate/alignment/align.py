"""Aligns a model with the official network, by the operations of a forward of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from parity.candidate.alignment.alignment import Alignment
from parity.candidate.alignment.matching import Graph, match
from parity.candidate.alignment.operations import UNORDERED, Giver, Operation
from parity.candidate.alignment.recording import Recording, record
from parity.core.layers import Network, layer_modules
from pnasnet_torch import variant
from pnasnet_torch.weights import empty_network, is_count

UNCLEAR = "no operation of the model is clearly this one"
# Where the layers are that a model does not come to, as it raises before, or that it has not.
NOT_REACHED = "not reached"
CUT_OFF = "the model computes it on a larger map, of which a part is cut off behind it"


class Found(NamedTuple):
    """An operation of the model that is an official layer's: where it runs, or why it is not to be judged; the module
    that gives it, if one does; and the names of its parameters, by what they are to it."""

    giver: Giver | None = None
    site: str = ""
    reason: str = ""
    parameters: Mapping[str, str] = {}

    @property
    def owner(self) -> str:
        """The path of the module whose parameters they are; empty where they are several modules' or none's."""
        paths = {name.rpartition(".")[0] for name in self.parameters.values()}
        return paths.pop() if len(paths) == 1 else ""


def align(model: nn.Module, run: Callable[[Tensor], object], network: Network) -> Alignment:
    """Return which module of a model in evaluation mode, which `run` runs on images, gives which official layer.

    What is known of the official network is the port's forward. Of a model that raises, the layers behind that are
    given by nothing that runs. Raises what the model raises where it comes to none.
    """
    images = torch.zeros(1, 3, network.height, network.width)
    port = empty_network(variant(network.variant).config)
    official = record(port, port.predict, images)
    # The port's own module of each layer, with its operation.
    own = {giver.path: (operation, giver) for operation in official.operations for giver in operation.givers}
    layers = {layer: own[layer] for layer in layer_modules(port)}
    recording = record(model, run, images)
    found = _find(layers, Graph(official), Graph(recording))
    if recording.error and not any(one.site for one in found.values()):
        raise recording.error
    for layer, one in found.items():
        # Not unobservable: that the model does not come to them is its fault, and so it is where it has no operation
        # with the weights of one.
        if one.reason == UNCLEAR and (recording.error or layers[layer][0].parameters):
            found[layer] = Found(site=NOT_REACHED)
    given = {layer: one.giver for layer, one in found.items() if one.giver}
    tensors = {}
    for layer, one in found.items():
        for role, name in one.parameters.items():
            if name != f"{one.owner}.{role}":
                tensors[f"{layer}.{role}"] = name
    return Alignment(
        network.variant,
        owners={layer: one.owner for layer, one in found.items() if one.owner},
        tensors=tensors,
        modules={layer: giver.path for layer, giver in given.items()},
        sites={layer: one.site for layer, one in found.items() if one.site},
        reasons={layer: one.reason for layer, one in found.items() if one.reason},
        together=tuple(layer for layer, giver in given.items() if not _takes_the_same(giver, layers[layer][1])),
        vectors=tuple(layer for layer, giver in given.items() if len(giver.shape) > len(layers[layer][1].shape)),
        kept=tuple(_kept(model, recording, found.values())),
        ran=recording.ran,
    )


def _find(layers: Mapping[str, tuple[Operation, Giver]], official: Graph, candidate: Graph) -> dict[str, Found]:
    """Return what was found of each of the official `layers`."""
    matches = match(official, candidate)
    found: dict[str, Found] = {}
    # How many layers there were so far that compute the same.
    counts: dict[Operation, int] = {}
    for layer, (operation, own) in layers.items():
        first = official.first[operation]
        number = counts.get(first, 0)
        counts[first] = number + 1
        matched = matches.get(first)
        if matched is None:
            found[layer] = Found(reason=UNCLEAR)
            continue
        # Where both compute the same several times, in their order; where the model does it once, that one.
        several = candidate.alike[matched]
        other = several[min(number, len(several) - 1)]
        found[layer] = _found(own, other, _is_cut(candidate, matched))
    return found


def _found(own: Giver, operation: Operation, is_cut: bool) -> Found:
    """Return what is found of a layer, which the port's `own` module gives, and the model's `operation` is."""
    found = Found(parameters=operation.parameters)
    owner = found.owner
    givers = [giver for giver in operation.givers if not owner or giver.path == owner]
    in_shape = [giver for giver in givers if _pixels(giver.shape) == _pixels(own.shape)]
    if in_shape:
        return found._replace(giver=in_shape[0], site=operation.site)
    if _pixels(operation.shape) == _pixels(own.shape):
        return found._replace(site=operation.site)
    for site, shape in operation.changes:
        if _pixels(shape) == _pixels(own.shape):
            return found._replace(site=site)
    # Another shape is a fault, and to be judged, unless it is made the official one behind.
    if is_cut:
        return found._replace(reason=CUT_OFF)
    unchanged = [giver for giver in givers if not giver.changed]
    return found._replace(giver=unchanged[0] if unchanged else None, site=operation.site)


def _kept(model: nn.Module, recording: Recording, found: Iterable[Found]) -> Iterator[str]:
    """Yield the names of the weights that the model's forward does not take, and of constants that are no layer's.

    Of a model that raises, those are not known that it would take behind that.
    """
    of_layers = {name for one in found for name in one.parameters.values()}
    buffers = {name for name, _ in model.named_buffers()}
    for name in model.state_dict():
        is_constant = name not in of_layers and (name in buffers or recording.error is not None)
        if not is_count(name) and (is_constant or name not in recording.used):
            yield name


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


def _takes_the_same(giver: Giver, own: Giver) -> bool:
    """Return whether a module takes what the port's own takes, and not more of it, or less."""
    if giver.taken is None or own.taken is None:
        return False
    return list(map(_pixels, giver.taken)) == list(map(_pixels, own.taken))


def _pixels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape in which a vector is a map of one pixel."""
    return (*shape, 1, 1) if len(shape) == 2 else shape
