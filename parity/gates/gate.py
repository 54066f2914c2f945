"""What a session takes from each family of gates."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Hashable, Mapping, Sequence
from typing import Any

from parity.core.computing import Results
from parity.gates.ahead import Ahead
from tf_reference.layers import Layer

# What computes official values, by key, in the order in which they are most likely taken.
Values = Generator[tuple[Hashable, Any]]


class Gate(ABC):
    """The gates on one network, called `names`, that are judged at once.

    Where it `runs_ahead`, its official values are computed while the gate before it is judged. While one that
    `is_alone` is judged, nothing else is computed.
    """

    names: Sequence[str]
    runs_ahead = False
    is_alone = False
    # What is to be told at the end besides the results.
    notes: Sequence[str] = ()

    def layers(self) -> Mapping[str, Layer]:
        """Return the official layers that are judged; none where something else is."""
        return {}

    def official(self) -> Values:
        """Yield the official values, by key, in the order in which they are most likely taken."""
        yield from ()

    @abstractmethod
    def judge(self, official: Ahead) -> dict[str, Results]:
        """Return the results by gate and name, of the candidate as the `official` values come."""
