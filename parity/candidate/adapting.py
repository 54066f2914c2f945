"""The adapter of a model for which nobody wrote one: by the names of its weights where these are known, and by what its
operations tell, at each image size anew, as a model may pad one and not another."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from parity.candidate import adapter
from parity.candidate.adapter import Adapter
from parity.candidate.alignment.align import CUT_OFF, align
from parity.candidate.alignment.alignment import Alignment, places
from parity.candidate.importing import others_code
from parity.candidate.making import Maker
from parity.core.errors import InputError
from parity.core.layers import Network, network_at, port_layers
from parity.core.pinning import Pins
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.genotype import VARIANTS
from pnasnet_torch.naming import OURS, NamingError, Scheme, scheme, schemes
from pnasnet_torch.targets import FIRST
from pnasnet_torch.weights import outline

# The port's method that goes on from the logits to the probabilities, where its forward ends.
RUNS_TO_THE_END = "predict"
PROBABILITIES = "final_layer.predictions"


class Adapting:
    """Finds the adapter of a maker's model, which messages call `name`. The `pins` are held while its code runs.

    `known` is an adapter with the names of its weights, where they are known; otherwise it is told by them whether they
    are. Raises InputError where there is no model, or clearly no PNASNet-5.
    """

    def __init__(self, name: str, maker: Maker, pins: Pins, known: Adapter | None = None) -> None:
        self._name = name
        self._pins = pins
        self._maker = maker
        self._is_port = False
        self._like = known
        if known is None:
            model = maker.make("float32")
            self._is_port = isinstance(model, PNASNet)
            self._like = _by_weight_names(model.state_dict(), name, self._is_port)
        # Of the known names there are those of one variant.
        self.variant = self._like.names.variants[0] if self._like else _told_variant(model.state_dict(), name)
        self._at: dict[tuple[int, int], Adapter] = {}

    def first(self, sizes: Sequence[str]) -> Adapter:
        """Return the adapter at the first of some image sizes that the model takes, by default the variant's own.

        Raises InputError where it takes none of them.
        """
        problem: InputError | None = None
        for size in sizes or (str(variant(self.variant).image_size),):
            try:
                return self.at(_network(self.variant, size))
            except InputError as error:
                problem = problem or error
        # What a model with known names raises is its result, and told where it is judged.
        if self._like:
            return self._like
        assert problem
        raise problem

    def at(self, network: Network) -> Adapter:
        """Return the adapter at a network's image size. Raises InputError where the model does not take it."""
        size = network.height, network.width
        if size not in self._at:
            self._at[size] = self._find(network)
        return self._at[size]

    def nearest(self, network: Network) -> Adapter | None:
        """Return the adapter at a network's image size, or else at the variant's own; None where it takes neither.

        What the model raises at a size is its result, and told where it is judged.
        """
        for size in (network.size, str(variant(self.variant).image_size)):
            try:
                return self.at(_network(self.variant, size))
            except InputError:
                continue
        return None

    def _find(self, network: Network) -> Adapter:
        if self._like and self._is_port:
            return self._like
        # Made anew, as it takes hundreds of megabytes while nobody needs it.
        alignment = aligned(self._maker.make("float32"), self._name, self._pins, network)
        if self._like:
            return _with_places(self._like, alignment)
        return replace(alignment.adapter, make=self._name)


def aligned(model: nn.Module, name: str, pins: Pins, network: Network) -> Alignment:
    """Return what the operations of a model, called `name`, tell of it at a network's image size.

    Raises InputError where it does not run.
    """
    with others_code(f"{name}()", pins):
        return align(model, model, network)


def alignment_of(model: nn.Module, name: str, pins: Pins, size: str | None = None) -> Alignment:
    """Return what the operations of a model tell of it, at an image size, by default the variant's own.

    Raises InputError where it does not run, or is clearly no PNASNet-5.
    """
    told = _told_variant(model.state_dict(), name)
    return aligned(model, name, pins, _network(told, size or str(variant(told).image_size)))


def _network(variant_name: str, size: str) -> Network:
    """Return a variant at an image size. Raises InputError where there is none."""
    try:
        return network_at(variant_name, size)
    except ValueError as error:
        raise InputError(str(error)) from error


def fitting_variants(shapes: Iterable[tuple[int, ...]]) -> list[str]:
    """Return the variants whose first convolution, by which they are told, has one of these shapes."""
    known = set(shapes)
    return [name for name in VARIANTS if tuple(_port_state(name)[FIRST].shape) in known]


def _told_variant(state: Mapping[str, Tensor], name: str) -> str:
    """Return the variant that a model's state is of. Raises InputError where that is not clear."""
    fitting = fitting_variants(tuple(tensor.shape) for tensor in state.values())
    if len(fitting) != 1:
        raise InputError(
            f"{name}() has {len(state)} weights, such as {next(iter(state), 'none')}, whose names follow none of "
            f"{', '.join((OURS.name, *schemes()))}, and no first convolution of PNASNet-5 {' or '.join(VARIANTS)}: "
            "say in an adapter what its modules are called (--adapter FILE.toml)"
        )
    return fitting[0]


def _port_state(variant_name: str) -> Mapping[str, Tensor]:
    """Return the port's parameters and buffers of one variant, without values."""
    return outline(variant(variant_name).config).state_dict()


def _by_weight_names(state: Mapping[str, Tensor], name: str, is_port: bool) -> Adapter | None:
    """Return the adapter for a model by the scheme that the names of its weights follow; None where they follow none.

    What has the port's names may be the port itself (`is_port`), which goes on behind its logits.
    """
    for variant_name in VARIANTS:
        port_state = _port_state(variant_name)
        for known_names in (OURS, *map(scheme, schemes())):
            if _follows(state, known_names, port_state):
                return _like(known_names, variant_name, name, is_port)
    return None


def _follows(state: Mapping[str, Tensor], known_names: Scheme, port_state: Mapping[str, Tensor]) -> bool:
    """Return whether each weight has the name that the scheme gives one of the port's, and no name is missing."""
    try:
        known_names.restore(state, port_state)
    except NamingError:
        return False
    return True


def _like(known_names: Scheme, variant_name: str, make: str, is_port: bool) -> Adapter:
    """Return the adapter for what `make` gives, of one variant, whose weights have these names."""
    names = replace(known_names, variants=(variant_name,))
    if is_port:
        return Adapter(names, make, method=RUNS_TO_THE_END)
    if known_names is OURS:
        # What only has the port's names may end at the logits, as the port's own forward does.
        return Adapter(names, make, unobservable=(PROBABILITIES,))
    # Its pads may be those of some sizes, too.
    return Adapter(names, make, sizes=adapter.built_in(known_names.name).sizes)


def _with_places(like: Adapter, alignment: Alignment) -> Adapter:
    """Return an adapter of known names with what the operations tell: which modules do what they are called by, or more
    than that, and which functions do what other modules would."""
    paths: dict[str, str] = {}
    sites: dict[str, str] = {}
    hidden = []
    for layer in port_layers(alignment.variant):
        named, found = like.module(layer), alignment.modules.get(layer, "")
        if alignment.reasons.get(layer) == CUT_OFF:
            hidden.append(layer)
        elif found and (not named or f"{found}.".startswith(f"{named}.")):
            # The innermost of those that give it does no more than has to be.
            paths[layer] = found
        elif layer in alignment.functions or (layer in alignment.sites and named not in alignment.ran):
            sites[layer] = alignment.sites[layer]
        elif not named:
            hidden.append(layer)
    return replace(
        like,
        places=paths,
        functions=places(sites),
        unobservable=tuple(map(re.escape, hidden)),
        not_replayable=tuple(map(re.escape, alignment.together)),
        vectors=alignment.vectors,
    )
