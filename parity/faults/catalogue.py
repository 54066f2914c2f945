"""All faults, and the trials of them: each at the first, a middle and the last site, on odd and on even maps."""

from collections.abc import Iterator
from typing import NamedTuple

from parity.faults.fault import Fault
from parity.faults.operations import OPERATIONS
from parity.faults.parameters import PARAMETERS
from parity.faults.sites import Places, spread
from parity.faults.wiring import WIRING
from parity.layers import Network

FAULTS: tuple[Fault, ...] = (*OPERATIONS, *PARAMETERS, *WIRING)
# At 65 pixels all maps that are halved are even (32, 16, 8, 4), at 67 all are odd (33, 17, 9, 5). How many sites each.
NETWORKS = {
    Network("mobile", 65, 65): 2,
    Network("mobile", 67, 67): 2,
    Network("large", 65, 65): 1,
    Network("large", 67, 67): 1,
}


class Place(NamedTuple):
    """Where a fault is tried."""

    fault: Fault
    site: str


def places(network: Network, graph_places: Places) -> Iterator[Place]:
    """The trials on one network; where it takes one site, that is the middle one."""
    for fault in FAULTS:
        for site in spread(fault.where(graph_places), NETWORKS[network]):
            yield Place(fault, site)
