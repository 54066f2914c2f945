"""What `--candidate` names."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from parity.candidate import adapter
from parity.candidate.adapter import Adapter
from parity.candidate.alignment.align import Alignment, align
from parity.candidate.another_reference import ReferenceCandidate
from parity.candidate.engines import ENGINES, EngineCandidate
from parity.candidate.implementation import Implementation
from parity.candidate.importing import others_code
from parity.candidate.interface import Candidate
from parity.candidate.making import Maker
from parity.candidate.own_weights import OwnWeights
from parity.core.errors import InputError
from parity.core.layers import network_at
from parity.core.pinning import Pins
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.genotype import VARIANTS
from pnasnet_torch.naming import OURS, NamingError, Scheme, scheme, schemes
from pnasnet_torch.targets import FIRST
from pnasnet_torch.weights import outline
from tf_reference.kinds import KINDS
from tf_reference.official import EXPECTED, OFFICIAL

CHECKOUT = "pnasnet-pytorch"
# The port's method that goes on from the logits to the probabilities, where its forward ends.
RUNS_TO_THE_END = "predict"
PROBABILITIES = "final_layer.predictions"
# What an adapter says of how an implementation is built, wherever its model comes from.
STRUCTURE = ("method", "sizes", "unobservable", "not_replayable", "vectors")


def find_candidate(name: str, own_adapter: Path | None = None, own_weights: OwnWeights | None = None) -> Candidate:
    """Return the candidate called `name`, with the user's own adapter, and its own weights, where there are such.

    Raises InputError for one that cannot be had.
    """
    kind, _, rest = name.partition(":")
    is_other_reference = name == OFFICIAL or kind in KINDS
    if own_weights and (name in ENGINES or is_other_reference):
        raise InputError(f"{name} has no weights of its own: leave --candidate-weights out")
    if own_adapter:
        return _by_own_adapter(name, replace(adapter.read(own_adapter), make=name), own_weights=own_weights)
    if name in ENGINES:
        return EngineCandidate(name)
    if is_other_reference:
        return ReferenceCandidate(name)
    if kind == CHECKOUT:
        return _checkout(name, rest, own_weights)
    if name in adapter.BUILT_IN:
        return Implementation(name, adapter.built_in(name), own_weights=own_weights)
    if not rest:
        raise InputError(f"unknown candidate {name!r}: expected {', '.join(known())}, or MODULE:CALLABLE")
    pins = Pins()
    return Implementation(name, _adapter_by_weight_names(name, pins), pins=pins, own_weights=own_weights)


def candidate_from(
    model: nn.Module | Callable[[], nn.Module], own_adapter: Path | None, own_weights: OwnWeights | None = None
) -> Implementation:
    """Return the candidate that a model is, or what makes one; with the user's own adapter where there is one.

    The model itself stays as it is. Raises InputError where it cannot be judged.
    """
    is_model = isinstance(model, nn.Module)
    if not callable(model):
        raise InputError(f"a {type(model).__name__} is no model: expected a torch.nn.Module, or what makes one")
    named = type(model) if is_model else model
    name = f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', type(model).__name__)}"
    function = partial(deepcopy, model) if is_model else model
    if own_adapter:
        return _by_own_adapter(name, replace(adapter.read(own_adapter), make=name), function, own_weights)
    pins = Pins()
    by_names = _adapter_by_weight_names(name, pins, function)
    return Implementation(name, by_names, pins=pins, function=function, own_weights=own_weights)


def _by_own_adapter(
    name: str,
    own: Adapter,
    function: Callable[[], object] | None = None,
    own_weights: OwnWeights | None = None,
) -> Implementation:
    """Return the implementation called `name` by the user's own adapter, with the variants that its model can be.

    Raises InputError where there is no model.
    """
    pins = Pins()
    if not own.names.variants:
        weight = Maker(own, pins, function=function).make("float32").state_dict().get(own.names.parameter(FIRST))
        fitting = [name for name in VARIANTS if weight is not None and weight.shape == _port_state(name)[FIRST].shape]
        own = replace(own, names=replace(own.names, variants=tuple(fitting)))
    return Implementation(name, own, pins=pins, function=function, own_weights=own_weights)


def _port_state(variant_name: str) -> Mapping[str, Tensor]:
    """Return the port's parameters and buffers of one variant, without values."""
    return outline(variant(variant_name).config).state_dict()


def known() -> tuple[str, ...]:
    """Return all that can be given by name."""
    # The known port is no package that could be installed: it takes the path of a checkout.
    installed = [name for name in adapter.BUILT_IN if name != CHECKOUT]
    return (*ENGINES, *installed, f"{CHECKOUT}:PATH", EXPECTED)


def _checkout(name: str, path: str, own_weights: OwnWeights | None) -> Implementation:
    """Return the known port from its checkout at `path`. Raises InputError where there is none."""
    root = Path(path)
    if not path or not (root / "model.py").is_file():
        raise InputError(
            f"{name}: expected {CHECKOUT}:PATH with a checkout of chenxi116/PNASNet.pytorch, with model.py"
        )
    return Implementation(name, adapter.built_in(CHECKOUT), root.resolve(), own_weights=own_weights)


def _adapter_by_weight_names(name: str, pins: Pins, function: Callable[[], object] | None = None) -> Adapter:
    """Return the adapter for a model that is called `name`, by the scheme that the names of its weights follow.

    Raises InputError where they follow none, or `name` (or the `function`) gives no model.
    """
    model = Maker(Adapter(OURS, name), pins, function=function).make("float32")
    state = model.state_dict()
    for variant_name in VARIANTS:
        port_state = _port_state(variant_name)
        for known_names in (OURS, *map(scheme, schemes())):
            if _follows(state, known_names, port_state):
                return _adapter_like(known_names, variant_name, name, isinstance(model, PNASNet))
    return replace(aligned(model, name, pins).adapter, make=name)


def aligned(model: nn.Module, name: str, pins: Pins, size: str | None = None) -> Alignment:
    """Return what the operations of a model, called `name`, tell of it, at an image size (default: the variant's own).

    Raises InputError where it does not run, or is clearly no PNASNet-5.
    """
    state = model.state_dict()
    fitting = [variant_name for variant_name in VARIANTS if _first_shape(variant_name) in map(_shape, state.values())]
    if len(fitting) != 1:
        raise InputError(
            f"{name}() has {len(state)} weights, such as {next(iter(state), 'none')}, whose names follow none of "
            f"{', '.join((OURS.name, *schemes()))}, and no first convolution of PNASNet-5 {' or '.join(VARIANTS)}: "
            "say in an adapter what its modules are called (--adapter FILE.toml)"
        )
    network = network_at(fitting[0], size or str(variant(fitting[0]).image_size))
    with others_code(f"{name}()", pins):
        return align(model, model, network)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _first_shape(variant_name: str) -> tuple[int, ...]:
    """Return the shape of a variant's first convolution, by which it is told."""
    return _shape(_port_state(variant_name)[FIRST])


def _follows(state: Mapping[str, Tensor], known_names: Scheme, port_state: Mapping[str, Tensor]) -> bool:
    """Return whether each weight has the name that the scheme gives one of the port's, and no name is missing."""
    try:
        known_names.restore(state, port_state)
    except NamingError:
        return False
    return True


def _adapter_like(known_names: Scheme, variant_name: str, make: str, is_port: bool) -> Adapter:
    """Return the adapter for what `make` gives, of one variant, built as the implementation with these names is.

    What has the port's names may be the port itself (`is_port`), which goes on behind its logits.
    """
    if known_names is not OURS:
        like = adapter.built_in(known_names.name)
    elif is_port:
        like = Adapter(OURS, method=RUNS_TO_THE_END)
    else:
        # What only has the port's names may end at the logits, as the port's own forward does.
        like = Adapter(OURS, unobservable=(PROBABILITIES,))
    # How the known implementation is called into being (arguments, objects, ...) is none of the user's function.
    structure = {field: getattr(like, field) for field in STRUCTURE}
    return Adapter(replace(like.names, variants=(variant_name,)), make, **structure)
