"""Makes the golden digests anew from the official source, on TensorFlow, and says what changed."""

import argparse
import os
from collections.abc import Iterable, Sequence

from rich.console import Console

from parity.core import command, integers
from parity.core.command import Parser
from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import Specification
from parity.reference.golden import digests
from parity.reference.golden.digests import DTYPES, NETWORKS, Golden, Row
from parity.reference.live import LiveReference
from parity.reference.provenance import provenance
from parity.reference.requirements import require_tensorflow

PROG = "pnasnet-parity golden"
ABOUT = ("versions", "cpu", "threads", "reference", "seed")


def make(live: LiveReference, specification: Specification, network: Network) -> Golden:
    """The network's digests, of what the official network computes."""
    graph = live.graph(network, "float32")
    variables = {name: variable.shape for name, variable in graph.variables.items()}
    area = integers.map_area(graph.layers["final_layer.relu"].shape)
    inputs, found = {}, {}
    for dtype in DTYPES:
        inputs[dtype] = digests.inputs_digest(*digests.make_inputs(network, variables, area, dtype))
        found[dtype] = official_digests(live, network, dtype)
    rows = {}
    for name, layer in graph.layers.items():
        shape = tuple(size or 0 for size in layer.shape[1:])
        rows[name] = Row(shape, layer.inputs, {dtype: found[dtype][name] for dtype in DTYPES})
    about = {key: value for key, value in provenance(specification).items() if key in ABOUT}
    return Golden(network, about | {"source_sha256": live.official_sources[""].fingerprint}, inputs, variables, rows)


def official_digests(live: LiveReference, network: Network, dtype: str) -> dict[str, str]:
    """Of each layer of the official integer network."""
    graph = live.graph(network, dtype)
    variables, images = live.exact_inputs(network, graph)
    running = live.open(network, graph, list(graph.layers))
    running.assign_exact(variables)
    values = running.run(images)
    running.close()
    return {layer: digests.digest(values.pop(layer)) for layer in list(values)}


def run(networks: Iterable[Network], specification: Specification, check: bool) -> int:
    """Makes the networks' digests and says what changed; 1 if something did and it was only to be checked."""
    console = Console(highlight=False, soft_wrap=True)
    live = LiveReference(specification)
    changed = False
    for network in networks:
        with console.status(f"{network}: the official network"):
            new = make(live, specification, network)
        try:
            said = digests.differences(digests.read(network), new)
        except InputError:
            said = ["there was none that could be read"]
        changed |= bool(said)
        console.print(f"{network}: {'; '.join(said) or 'the same digests'}")
        if said and not check:
            digests.write(new)
            console.print(f"  wrote {digests.path_of(network)}")
    return int(changed and check)


def parse(given: Sequence[str] | None) -> argparse.Namespace:
    names = list(map(str, NETWORKS))
    parser = Parser(
        PROG, __doc__, "To judge the port by them, without TensorFlow: pytest parity -k exact --reference golden"
    )
    parser.add_argument("network", nargs="*", metavar="NETWORK", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something has changed")
    parser.add_argument("--reference", default="official", metavar="SOURCE", help="official (default) or slim:PATH")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    arguments = parser.parse_args(given)
    if unknown := [name for name in arguments.network if name not in names]:
        parser.error(f"{unknown[0]}: expected {', '.join(names)}")
    if arguments.threads < 1:
        parser.error(f"--threads {arguments.threads}: expected at least 1")
    return arguments


def main(given: Sequence[str] | None = None) -> int:
    arguments = parse(given)
    require_tensorflow()
    chosen = [network for network in NETWORKS if not arguments.network or str(network) in arguments.network]
    specification = Specification(tuple(chosen), None, (), (arguments.reference,), digests.SEED, arguments.threads)
    return run(chosen, specification, arguments.check)


if __name__ == "__main__":
    raise SystemExit(command.run(main, PROG))
