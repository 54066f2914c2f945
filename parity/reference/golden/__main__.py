"""Makes the golden digests anew from the official source, on TensorFlow, and says what changed."""

import argparse
from collections.abc import Iterable, Sequence

from parity.core import command
from parity.core.command import Parser, whole_number
from parity.core.console import PlainConsole
from parity.core.errors import InputError
from parity.core.files import check_writable
from parity.core.layers import Network
from parity.core.machine import MOST_THREADS, default_threads
from parity.core.specification import Specification
from parity.reference.exact import inputs_digest
from parity.reference.golden import digests
from parity.reference.golden.digests import DTYPES, NETWORKS, Golden, Row
from parity.reference.live import LiveReference
from parity.reference.provenance import provenance
from parity.reference.requirements import require_tensorflow

PROG = "pnasnet-parity golden"
# Of the provenance of a run, what goes into a network's file: digests depend on no checkpoint and on no photograph.
ABOUT = ("versions", "cpu", "threads", "reference", "seed")


def make(live: LiveReference, specification: Specification, network: Network) -> Golden:
    """Return the digests of all that the official network computes with integers."""
    # Shapes and inputs are the same in every dtype.
    graph = live.graph(network, "float32")
    inputs = {}
    by_dtype = {}
    for dtype in DTYPES:
        exact_inputs = live.exact_inputs(network, live.graph(network, dtype))
        inputs[dtype] = inputs_digest(*exact_inputs)[: digests.DIGITS]
        by_dtype[dtype] = official_digests(live, network, dtype)
    rows = {}
    for name, layer in graph.layers.items():
        # All sizes but the number of images are known.
        shape = tuple(size or 0 for size in layer.shape[1:])
        layer_digests = {dtype: by_dtype[dtype][name] for dtype in DTYPES}
        rows[name] = Row(shape, layer.inputs, layer_digests)
    about = {key: value for key, value in provenance(specification).items() if key in ABOUT}
    about["source_sha256"] = live.official_sources[""].fingerprint
    return Golden(network, about, inputs, graph.shapes, rows)


def official_digests(live: LiveReference, network: Network, dtype: str) -> dict[str, str]:
    """Return the digest of each layer of the official integer network in `dtype`."""
    graph = live.graph(network, dtype)
    variables, images_nhwc = live.exact_inputs(network, graph)
    official = live.open(network, graph, list(graph.layers))
    official.assign_exact(variables)
    values = official.values(images_nhwc, graph.layers.keys())
    digest_by_layer = {layer: digests.digest(value) for layer, value in values}
    official.close()
    return digest_by_layer


def run(networks: Iterable[Network], specification: Specification, check: bool) -> int:
    """Make the networks' digests and say what changed. Return 1 if something did and it was only to be checked."""
    console = PlainConsole()
    live = LiveReference(specification)
    any_changed = False
    for network in networks:
        with console.status(f"{network}: the official network"):
            new = make(live, specification, network)
        try:
            changes = digests.differences(digests.read(network), new)
        except InputError:
            changes = ["there was none that could be read"]
        console.print(f"{network}: {'; '.join(changes) or 'the same digests'}")
        if not changes:
            continue
        any_changed = True
        if not check:
            digests.write(new)
            console.print(f"  wrote {digests.path_of(network)}")
    return int(any_changed and check)


def parse(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's arguments. Exit where they cannot be used."""
    names = [str(network) for network in NETWORKS]
    parser = Parser(
        PROG, __doc__, "To judge the port by them, without TensorFlow: pytest parity -k exact --reference golden"
    )
    parser.add_argument("network", nargs="*", metavar="NETWORK", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something has changed")
    parser.add_argument("--reference", default="official", metavar="SOURCE", help="official (default) or slim:PATH")
    threads = whole_number(1, MOST_THREADS)
    parser.add_argument("--threads", type=threads, default=default_threads(), metavar="N", help="default: %(default)s")
    arguments = parser.parse_args(given)
    # Not by argparse's choices: these refuse an empty list of networks.
    unknown = [name for name in arguments.network if name not in names]
    if unknown:
        parser.error(f"{unknown[0]}: expected {', '.join(names)}")
    return arguments


def main(given: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    arguments = parse(given)
    require_tensorflow()
    if not arguments.check:
        # An installed package may lie where nobody writes, which is not to be found out after minutes.
        check_writable(digests.FOLDER)
    chosen = list(NETWORKS)
    if arguments.network:
        chosen = [network for network in NETWORKS if str(network) in arguments.network]
    specification = Specification(tuple(chosen), None, (), (arguments.reference,), digests.SEED, arguments.threads)
    return run(chosen, specification, arguments.check)


if __name__ == "__main__":
    raise SystemExit(command.run(main, PROG))
