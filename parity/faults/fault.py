"""A fault as data: what is changed, where it can be, and what the verdict on it should be."""

from collections.abc import Callable
from dataclasses import dataclass

from parity.faults.plant import Plant
from parity.faults.sites import Sites


def itself(site: str) -> tuple[str, ...]:
    """Return the site alone, as the one layer at fault."""
    return (site,)


@dataclass(frozen=True)
class Fault:
    """A fault that can be planted: where it can be, what it changes, and what is to be found.

    `plant` changes a model at a site, one of those that `where` finds. The verdict should name the layers `at` for that
    site as its only culprits, and call each a fault of this `kind`, one of those that docs/usage.md lists. `port` is
    the known port that has the fault, if one has.
    """

    name: str
    where: Sites
    plant: Plant
    kind: str = "operation"
    at: Callable[[str], tuple[str, ...]] = itself
    port: str = ""
    # No field, but the same for all: only a variation takes more threads.
    threads = 1


def below(*names: str) -> Callable[[str], tuple[str, ...]]:
    """Return a function that gives the layers of these names in the site's scope."""
    return lambda site: tuple(f"{site}.{name}" for name in names)


def beside(*names: str) -> Callable[[str], tuple[str, ...]]:
    """Return a function that gives the layers of these names beside the site, in the order of the names."""
    return lambda site: tuple(f"{site.rpartition('.')[0]}.{name}" for name in names)
