"""Makes the golden digests anew from the official source, on TensorFlow, and says what changed."""

import argparse
import os
from collections.abc import Iterable

import pytest
from rich.console import Console

from parity import exact
from parity.environment import provenance, require_tensorflow
from parity.golden import digests
from parity.golden.digests import DTYPES, NETWORKS, Golden, Row
from parity.layers import Network
from parity.options import Options
from parity.references import LiveSource
from parity.turn import Turn
from tf_reference.errors import InputError

ABOUT = ("versions", "cpu", "threads", "reference", "seed")


def make(source: LiveSource, turn: Turn, options: Options, network: Network) -> Golden:
    """The network's digests, of what the official network computes."""
    turn.begin(network)
    graph = turn.graph("float32")
    variables = {name: variable.shape for name, variable in graph.variables.items()}
    area = exact.map_area(graph.layers["final_layer.relu"].shape)
    inputs, found = {}, {}
    for dtype in DTYPES:
        inputs[dtype] = digests.inputs_digest(*digests.make_inputs(network, variables, area, dtype))
        found[dtype] = official_digests(turn, dtype)
    rows = {}
    for name, layer in graph.layers.items():
        shape = tuple(size or 0 for size in layer.shape[1:])
        rows[name] = Row(shape, layer.inputs, {dtype: found[dtype][name] for dtype in DTYPES})
    about = {key: value for key, value in provenance(options).items() if key in ABOUT}
    return Golden(network, about | {"source_sha256": source.sources[""].fingerprint}, inputs, variables, rows)


def official_digests(turn: Turn, dtype: str) -> dict[str, str]:
    """Of each layer of the official integer network."""
    pair = turn.pair(dtype, turn.graph(dtype).layers)
    variables, images = turn.exact_inputs(dtype)
    pair.reference.assign_exact(variables)
    values = pair.reference.run(images)
    found = {layer: digests.digest(values.pop(layer)) for layer in list(values)}
    turn.release(dtype)
    return found


def run(networks: Iterable[Network], options: Options, check: bool) -> int:
    """Makes the networks' digests and says what changed; 1 if something did and it was only to be checked."""
    console = Console(highlight=False, soft_wrap=True)
    source = LiveSource(options)
    turn = Turn(source)
    changed = False
    for network in networks:
        with console.status(f"{network}: the official network"):
            new = make(source, turn, options, network)
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


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m parity.golden",
        description=__doc__,
        epilog="To judge the port by them, without TensorFlow: pytest parity -k exact --reference golden",
    )
    names = list(map(str, NETWORKS))
    parser.add_argument("network", nargs="*", metavar="NETWORK", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something has changed")
    parser.add_argument("--reference", default="official", metavar="SOURCE", help="official (default) or slim:PATH")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.network if name not in names]:
        parser.error(f"{unknown[0]}: expected {', '.join(names)}")
    if arguments.threads < 1:
        parser.error(f"--threads {arguments.threads}: expected at least 1")
    return arguments


def main() -> int:
    arguments = parse()
    try:
        require_tensorflow()
    except pytest.UsageError as error:
        raise SystemExit(f"error: {error}") from error
    chosen = [network for network in NETWORKS if not arguments.network or str(network) in arguments.network]
    options = Options(tuple(chosen), None, (), (arguments.reference,), digests.SEED, arguments.threads, ())
    try:
        return run(chosen, options, arguments.check)
    except InputError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main())
