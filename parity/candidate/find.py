"""What `--candidate` names."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from parity.candidate import adapter
from parity.candidate.adapter import Adapter
from parity.candidate.adapting import Adapting, fitting_variants
from parity.candidate.another_reference import ReferenceCandidate
from parity.candidate.engines import ENGINES, EngineCandidate
from parity.candidate.implementation import Implementation
from parity.candidate.interface import Candidate
from parity.candidate.making import Maker
from parity.candidate.own_weights import OwnWeights
from parity.core.errors import InputError
from parity.core.pinning import Pins
from pnasnet_torch.naming import OURS
from pnasnet_torch.targets import FIRST
from tf_reference.kinds import KINDS
from tf_reference.official import EXPECTED, OFFICIAL

CHECKOUT = "pnasnet-pytorch"


def find_candidate(
    name: str,
    own_adapter: Path | None = None,
    own_weights: OwnWeights | None = None,
    sizes: Sequence[str] = (),
) -> Candidate:
    """Return the candidate called `name`, with the user's own adapter, and its own weights, where there are such.

    To be aligned it is run on an image of the first of these `sizes` that it takes, by default the variant's own.
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
        return _built_in(name, adapter.built_in(CHECKOUT), _checkout(name, rest), own_weights)
    if name in adapter.BUILT_IN:
        return _built_in(name, adapter.built_in(name), None, own_weights)
    if not rest:
        raise InputError(f"unknown candidate {name!r}: expected {', '.join(known())}, or MODULE:CALLABLE")
    return _without_adapter(name, None, own_weights, sizes)


def candidate_from(
    model: nn.Module | Callable[[], nn.Module],
    own_adapter: Path | None,
    own_weights: OwnWeights | None = None,
    sizes: Sequence[str] = (),
) -> Implementation:
    """Return the candidate that a model is, or what makes one; the rest as in `find_candidate`.

    The model itself stays as it is. Raises InputError where it cannot be judged.
    """
    is_model = isinstance(model, nn.Module)
    if not callable(model):
        raise InputError(f"a {type(model).__name__} is no model: expected a torch.nn.Module, or what makes one")
    named = type(model) if is_model else model
    name = f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', type(model).__name__)}"
    function = partial(_copied, model)
    if own_adapter:
        return _by_own_adapter(name, replace(adapter.read(own_adapter), make=name), function, own_weights)
    return _without_adapter(name, function, own_weights, sizes)


def _copied(model: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    """Return a copy of a model, or of what is made: what was given stays as it is."""
    return deepcopy(model if isinstance(model, nn.Module) else model())


def _without_adapter(
    name: str, function: Callable[[], object] | None, own_weights: OwnWeights | None, sizes: Sequence[str]
) -> Implementation:
    """Return the implementation called `name`, whose adapter is to be found. Raises InputError where it cannot be."""
    pins = Pins()
    adapting = Adapting(name, Maker(Adapter(OURS, name), pins, function=function), pins)
    return Implementation(
        name, adapting.first(sizes), pins=pins, function=function, own_weights=own_weights, adapting=adapting
    )


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
        fitting = fitting_variants(() if weight is None else (tuple(weight.shape),))
        own = replace(own, names=replace(own.names, variants=tuple(fitting)))
    return Implementation(name, own, pins=pins, function=function, own_weights=own_weights)


def known() -> tuple[str, ...]:
    """Return all that can be given by name."""
    # The known port is no package that could be installed: it takes the path of a checkout.
    installed = [name for name in adapter.BUILT_IN if name != CHECKOUT]
    return (*ENGINES, *installed, f"{CHECKOUT}:PATH", EXPECTED)


def _built_in(name: str, known_adapter: Adapter, root: Path | None, own_weights: OwnWeights | None) -> Implementation:
    """Return an implementation of which is known how it is made, and what its weights are called."""
    pins = Pins()
    adapting = Adapting(name, Maker(known_adapter, pins, root), pins, known_adapter)
    return Implementation(name, known_adapter, root, pins=pins, own_weights=own_weights, adapting=adapting)


def _checkout(name: str, path: str) -> Path:
    """Return the folder of a checkout of the known port. Raises InputError where there is none."""
    root = Path(path)
    if not path or not (root / "model.py").is_file():
        raise InputError(
            f"{name}: expected {CHECKOUT}:PATH with a checkout of chenxi116/PNASNet.pytorch, with model.py"
        )
    return root.resolve()
