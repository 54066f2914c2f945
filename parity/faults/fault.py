"""A fault as data: what is changed, where it can be, and what the verdict on it should be."""

from collections.abc import Callable
from dataclasses import dataclass

from parity.faults.sites import Sites
from pnasnet_torch import PNASNet

Plant = Callable[[PNASNet, str], None]


def itself(site: str) -> tuple[str, ...]:
    return (site,)


@dataclass(frozen=True)
class Fault:
    """`plant` changes a model at a site, one of those that `where` finds. The verdict should name the layers `at` for
    that site as its only culprits, and call each a fault of this `kind`. `port`: which known port has it."""

    name: str
    where: Sites
    plant: Plant
    kind: str = "operation"
    at: Callable[[str], tuple[str, ...]] = itself
    port: str = ""
    threads = 1


def below(*names: str) -> Callable[[str], tuple[str, ...]]:
    """The layers of these names in the site's scope."""
    return lambda site: tuple(f"{site}.{name}" for name in names)


def beside(*names: str) -> Callable[[str], tuple[str, ...]]:
    """The layers of these names beside the site, in its order."""
    return lambda site: tuple(f"{site.rpartition('.')[0]}.{name}" for name in names)
