"""The port with something planted in it, as a candidate that a session judges like any other."""

from collections.abc import Callable, Collection
from functools import cache

from parity.candidate.capture import CandidateError
from parity.candidate.interface import Candidate
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port, make_model
from parity.core.layers import Network
from parity.faults.plant import copied
from parity.reference.interface import Variables
from pnasnet_torch import PNASNet

# Changes a model, at whatever sites.
Planting = Callable[[PNASNet], object]
# Gives the sound port in a dtype, filled with these variables.
Sound = Callable[[str, Variables], PNASNet]


class PlantedCandidate(Candidate):
    """The port as `plant` changes it, once it has its weights; layers `folded` into others are unobservable."""

    name = "the port, changed"
    replayable = True

    def __init__(self, plant: Planting, sound: Sound, folded: Collection[str] = ()) -> None:
        self._plant = plant
        self._sound = sound
        self._folded = frozenset(folded)
        self._parts: CandidateParts | None = None

    def unobservable(self, _network: Network) -> frozenset[str]:
        """Return the layers that are folded into others."""
        return self._folded

    def open(self, network: Network, dtype: str) -> "PlantedPort":
        """Return the changed port of a network in a dtype."""
        return PlantedPort(network, dtype, self._plant, self._sound)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables of the changed port, without those that are folded."""
        if self._parts is None:
            parts = candidate_parts(network, self._make)
            observable = dict(parts.found)
            for layer in self._folded:
                observable.pop(("layer", layer), None)
            self._parts = parts._replace(found=observable, unobservable=self._folded)
        return self._parts

    def _make(self, network: Network, dtype: str) -> PNASNet:
        """Return the changed port of a network, without the official weights."""
        model = copied(_empty(network, dtype))
        self._plant(model)
        return model


@cache
def _empty(network: Network, dtype: str) -> PNASNet:
    """Return the port of a network without weights. It is to be copied, which is quicker than to make another."""
    return make_model(network, dtype)


class PlantedPort(Port):
    """The changed port of one network in one dtype: it is made anew each time that it is given weights."""

    def __init__(self, network: Network, dtype: str, plant: Planting, sound: Sound) -> None:
        super().__init__(network, dtype)
        self._plant = plant
        self._sound = sound
        self._variables: Variables = {}
        self._planted: PNASNet | None = None

    def load(self, variables: Variables) -> None:
        """Take the official variables; the model is made of them when it is next used."""
        self._variables = variables
        self._planted = None

    @property
    def model(self) -> PNASNet:
        """The changed model with the weights given last. Raises CandidateError for what the plant raises."""
        if self._planted is None:
            # Planted behind the weights: these would be filled over a fault of theirs. A copy is quicker than filling.
            model = copied(self._sound(self.dtype, self._variables))
            try:
                self._plant(model)
            except Exception as error:
                raise CandidateError("", error) from error
            self._planted = model
        return self._planted
