"""The port in other forms of its own."""

from collections.abc import Sequence

import torch

from parity import structure
from parity.candidates.candidate import NETWORK_GATES, Side
from parity.layers import Network
from parity.port import Make, Port, make_model
from parity.structure import PortParts
from pnasnet_torch import PNASNet


def _channels_last(network: Network, dtype: str) -> PNASNet:
    model: PNASNet = make_model(network, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


FORMS: dict[str, Make] = {"channels_last": _channels_last}


class Form:
    """The port as one of FORMS makes it."""

    gates: Sequence[str] = NETWORK_GATES
    runs_alone = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._make = FORMS[name]

    def refuses(self, _network: Network) -> str:
        return ""

    def unseen(self, _network: Network) -> frozenset[str]:
        return frozenset()

    def side(self, network: Network, dtype: str) -> Side:
        return Port(network, dtype, self._make)

    def parts(self, network: Network) -> PortParts:
        return structure.port_parts(network, self._make)
