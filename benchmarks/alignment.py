"""How much of a port with a fault alignment finds: every structural fault of the catalogue, in a port whose names it is
not told, and judged by golden digests as by names and as aligned.

    python -m benchmarks.alignment [--sites 1] [--only TEXT]

Prints the table for docs/candidates.md, and each trial in which more is lost than the fault itself, or in which the
verdict is another one than by names. A layer is lost where it is not found, or where it is taken for another one.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

import parity
from parity.candidate.alignment.align import NOT_REACHED, align
from parity.candidate.alignment.matching import Graph
from parity.candidate.alignment.operations import Operation
from parity.candidate.alignment.recording import record
from parity.core.errors import InputError
from parity.core.layers import network_at, port_layers
from parity.core.words import few
from parity.faults.catalogue import GROUPS
from parity.faults.fault import Fault
from parity.faults.sites import Places, spread
from pnasnet_torch import PNASNet, pnasnet_mobile
from tf_reference import official
from tf_reference.graph import GraphSpec, reference_graph

NETWORK = network_at("mobile", "97x131")
# Faults of what goes into the network, of how it is filled, and of its end, are none that hide a layer.
FILLED = ("weights", "images", "heads", "reporting")


class Stranger(nn.Module):
    """A model under other names."""

    def __init__(self, inner: PNASNet) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        """Return what the model gives."""
        logits: Tensor = self.inner(images)
        return logits


class Trial(NamedTuple):
    """A fault at a site, the layers lost beside its own, and the culprits by names and as aligned, if asked."""

    fault: Fault
    site: str
    lost: frozenset[str]
    by_names: frozenset[str] = frozenset()
    aligned: frozenset[str] = frozenset()

    def __str__(self) -> str:
        words = f"{self.fault.name}, {self.site}: {len(self.lost)} lost ({few(sorted(self.lost), 3)})"
        if self.by_names != self.aligned:
            words += f"; by names {few(sorted(self.by_names), 3)}; aligned {few(sorted(self.aligned), 3)}"
        return words


def planted(fault: Fault, site: str) -> PNASNet:
    """Return the port with a fault at a site."""
    model = pnasnet_mobile().eval()
    fault.plant(model, site)
    return model


def stranger(fault: Fault, site: str) -> Stranger:
    """Return the same under other names."""
    return Stranger(planted(fault, site)).eval()


def culprits(make: Callable[[], nn.Module]) -> frozenset[str]:
    """Return the layers at fault of what is made."""
    try:
        checked = parity.check(make, image_size=NETWORK.size)
    except InputError:
        return frozenset({"(it raises)"})
    return frozenset(culprit.layer for culprit in checked.culprits)


def trials(sites: int, only: str, verdicts: bool) -> Iterator[Trial]:
    """Yield all trials, at so many sites of each fault."""
    graph = reference_graph(official.find(), GraphSpec(NETWORK.variant, NETWORK.height, NETWORK.width))
    places = Places(graph)
    groups = [GROUPS[group] for group in GROUPS if group not in FILLED]
    faults = [fault for group in groups for fault in group if only in fault.name]
    for turn, fault in enumerate(faults):
        for site in spread(fault.where(places), sites, turn):
            yield trial(fault, site, verdicts)


def trial(fault: Fault, site: str, verdicts: bool) -> Trial:
    """Return what comes of a fault at a site."""
    model = stranger(fault, site)
    sites = align(model, model, NETWORK).sites
    own = {*fault.at(site), "final_layer.predictions"}
    reached = [name for name, site in sites.items() if site != NOT_REACHED]
    # What a model that raises does not come to is not lost by the alignment.
    expected = reached if raises(model) else port_layers(NETWORK.variant)
    lost = {name for name in expected if not _is_found(name, sites.get(name, ""))}
    found = Trial(fault, site, frozenset(lost - own))
    if not verdicts:
        return found
    return found._replace(
        by_names=culprits(partial(planted, fault, site)), aligned=culprits(partial(stranger, fault, site))
    )


def _is_found(layer: str, site: str) -> bool:
    """Return whether a layer is at its own module, whose path alone tells it here, or at one that does the same."""
    found = site.removeprefix("inner.").partition(":")[0]
    return computed().get(found) == computed()[layer]


def raises(model: nn.Module) -> bool:
    """Return whether a model's forward raises."""
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, NETWORK.height, NETWORK.width))
    except Exception:  # whatever a faulty model raises
        return True
    return False


@cache
def computed() -> dict[str, Operation]:
    """Return what each of the port's layers computes: one operation for all that compute the same."""
    port = pnasnet_mobile().eval()
    recording = record(port, port.predict, torch.zeros(1, 3, NETWORK.height, NETWORK.width))
    first = Graph(recording).first
    return {giver.path: first[one] for one in recording.operations for giver in one.givers}


def main() -> None:
    """Run the trials, and print what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=2, help="of each fault (default: 2)")
    parser.add_argument("--only", default="", help="faults with this text in their names")
    parser.add_argument("--verdicts", action="store_true", help="also compare the culprits")
    given = parser.parse_args()
    done = []
    for one in trials(given.sites, given.only, given.verdicts):
        done.append(one)
        if one.lost or one.by_names != one.aligned:
            print(one, flush=True)
    whole = sum(not one.lost for one in done)
    layers = len(port_layers(NETWORK.variant))
    share = sum(layers - len(one.lost) for one in done) / (layers * len(done))
    print(f"{len(done)} trials: in {whole} no layer is lost but the fault's own; {share:.2%} of all layers are found")
    if given.verdicts:
        alike = sum(one.by_names == one.aligned for one in done)
        print(f"the same culprits as by names in {alike}")


if __name__ == "__main__":
    main()
