"""A model aligned with the official network: an adapter that nobody had to write."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from parity.candidate.adapter import ALIGNED, Adapter
from parity.candidate.alignment.matching import Graph, match
from parity.candidate.alignment.operations import UNORDERED, Giver, Operation
from parity.candidate.alignment.recording import Recording, record
from parity.core.layers import Network, layer_modules
from pnasnet_torch import variant
from pnasnet_torch.naming import Scheme, parse_scheme
from pnasnet_torch.weights import empty_network, is_count

UNCLEAR = "no operation of the model is clearly this one"
# Where the layers are that a model does not come to, as it raises before.
NOT_REACHED = "not reached"
CUT_OFF = "the model computes it on a larger map, of which a part is cut off behind it"


@dataclass(frozen=True)
class Alignment:
    """What was found of a model, by official layer: the path of the module that gives it, or why nothing does.

    `sites` are where the operations run that give the layers, of some of which no module does. `owners` has the module
    whose parameters are the layer's, `tensors` those that are called otherwise, by the port's names, `together` the
    layers whose module does more than they do, and `vectors` those that are maps of one pixel in the model. `kept` are
    weights of the model that are no layer's, and `ran` the paths of its modules that run once.
    """

    variant: str
    owners: Mapping[str, str]
    tensors: Mapping[str, str]
    modules: Mapping[str, str]
    sites: Mapping[str, str]
    reasons: Mapping[str, str]
    together: tuple[str, ...]
    vectors: tuple[str, ...]
    kept: tuple[str, ...]
    ran: frozenset[str]

    @property
    def functions(self) -> Mapping[str, str]:
        """The sites of the layers that no module gives."""
        return {layer: site for layer, site in self.sites.items() if layer not in self.modules}

    @property
    def places(self) -> Mapping[str, str]:
        """The path of the module that each layer is at: which gives it, or has its parameters."""
        return {**self.modules, **self.owners}

    @property
    def adapter(self) -> Adapter:
        """The adapter that says the same."""
        content = {"modules": _rules(self.places), "tensors": self.tensors, "variants": [self.variant]}
        return Adapter(
            parse_scheme(ALIGNED, content),
            functions=places(self.functions),
            unobservable=tuple(map(re.escape, self.reasons)),
            not_replayable=tuple(map(re.escape, self.together)),
            vectors=self.vectors,
            kept=tuple(map(re.escape, self.kept)),
        )

    def toml(self) -> str:
        """Return the adapter as a file, to be read, corrected and kept."""
        lines = [
            "# Found by pnasnet-parity align: official layers, and what gives them.",
            f"variants = {json.dumps([self.variant])}",
            *_listed("unobservable", map(re.escape, self.reasons)),
            *_listed("not_replayable", map(re.escape, self.together)),
            *_listed("vectors", self.vectors),
            *_listed("kept", map(re.escape, self.kept)),
            *_table("modules", _rules(self.places)),
            *_table("functions", _rules(self.functions)),
            *_table("tensors", self.tensors),
        ]
        return "\n".join(lines) + "\n"


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
    if recording.error:
        if not any(one.site for one in found.values()):
            raise recording.error
        # Not unobservable: that the model does not come to them is its fault.
        found = {layer: Found(site=NOT_REACHED) if one.reason == UNCLEAR else one for layer, one in found.items()}
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


def places(sites: Mapping[str, str]) -> Scheme:
    """Return where functions give layers, as an adapter has it."""
    return parse_scheme("functions", {"modules": _rules(sites)})


def _rules(places: Mapping[str, str]) -> dict[str, str]:
    """Return where layers are, as an adapter's rules."""
    return {re.escape(layer): place.replace("\\", r"\\") for layer, place in places.items()}


def _table(name: str, values: Mapping[str, str]) -> list[str]:
    """Return a table of a TOML file, a value a line; nothing for an empty one."""
    if not values:
        return []
    return ["", f"[{name}]", *(f"'{key}' = {json.dumps(value)}" for key, value in values.items())]


def _listed(key: str, values: Iterable[str]) -> list[str]:
    """Return an entry of a TOML file, a value a line; nothing where there are none."""
    values = list(values)
    if not values:
        return []
    return [f"{key} = [", *(f"    '{value}'," for value in values), "]"]
