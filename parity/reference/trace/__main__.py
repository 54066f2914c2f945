"""Shows a trace, or compares two."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from parity.core.command import Parser, run
from parity.reference.trace import diff
from parity.reference.trace.store import Reader
from parity.reference.trace.stored import TraceReference

PROG = "pnasnet-parity trace"


def info(console: Console, reader: Reader) -> int:
    """What the trace was made from, and what it holds."""
    source = TraceReference(reader)
    for key, value in source.provenance.items():
        if value is None:
            continue
        console.print(f"{key}: {', '.join(map(' '.join, value.items())) if isinstance(value, dict) else value}")
    table = Table("network", "gate", "judged by it", box=None)
    table.columns[2].justify = "right"
    for network in source.networks:
        for gate in source.gates:
            if names := source.names(gate, network):
                table.add_row(str(network), gate, f"{len(names):,}")
    console.print(table)
    arrays = sum(len(reader.below(folder)) for folder in reader.folders())
    console.print(f"{arrays:,} arrays, {reader.path.stat().st_size / 1e9:,.2f} GB")
    return 0


def verify(console: Console, reader: Reader) -> int:
    """Reads every array; raises InputError at the first that was altered."""
    for folder in reader.folders():
        with console.status(folder):
            for name in reader.below(folder):
                reader.get(f"{folder}/{name}")
    console.print("every checksum fits")
    return 0


def compare(console: Console, first: Reader, second: Reader, layers: bool) -> int:
    """What differs between two traces."""
    same = True
    for title, lines in (("made from", diff.provenance(first, second)), ("graph", diff.graphs(first, second))):
        for line in lines:
            console.print(f"{title}: {line}")
            same &= title != "graph"
    with console.status("comparing") as status:
        for group in diff.groups(first, second, status.update):
            console.print(str(group))
            same &= bool(group)
            if layers:
                for name, distance in group.distances.items():
                    console.print(f"  {name}: relative L2 {distance:.3g}")
    console.print("the same values" if same else "the traces differ")
    return 0 if same else 1


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        PROG, "Shows or compares traces of the official network, which pytest parity --record FILE.h5 writes."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shows = commands.add_parser("info", help="what a trace was made from and what it holds")
    shows.add_argument("file", type=Path, nargs=1, metavar="FILE")
    shows.add_argument("--verify", action="store_true", help="also read all of it and check every checksum")
    compares = commands.add_parser("diff", help="compare two traces array by array: versions, machines or checkpoints")
    compares.add_argument("file", type=Path, nargs=2, metavar="FILE")
    compares.add_argument("--layers", action="store_true", help="list every array that differs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(path)) for path in given.file]
        if given.command == "diff":
            return compare(console, readers[0], readers[1], given.layers)
        return info(console, readers[0]) or (verify(console, readers[0]) if given.verify else 0)


if __name__ == "__main__":
    raise SystemExit(run(main, PROG))
