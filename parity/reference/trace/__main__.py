"""Shows a trace, or compares two."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from parity.core.command import Parser, run
from parity.core.console import PlainConsole
from parity.reference.trace import diff
from parity.reference.trace.store import Reader
from parity.reference.trace.stored import TraceReference

PROG = "pnasnet-parity trace"


def info(console: Console, reader: Reader) -> int:
    """Print what the trace was made from, and what it holds. Return 0."""
    reference = TraceReference(reader)
    for key, value in reference.provenance.items():
        if isinstance(value, dict):
            entries = [f"{name} {entry}" for name, entry in value.items()]
            console.print(f"{key}: {', '.join(entries)}")
        elif value is not None:
            console.print(f"{key}: {value}")
    table = Table("network", "gate", "judged by it", box=None)
    table.columns[2].justify = "right"
    for network in reference.networks:
        for gate in reference.gates:
            names = reference.names(gate, network)
            if names:
                table.add_row(str(network), gate, f"{len(names):,}")
    console.print(table)
    arrays = sum(len(reader.below(folder)) for folder in reader.folders())
    console.print(f"{arrays:,} arrays, {reader.path.stat().st_size / 1e9:,.2f} GB")
    return 0


def verify(console: Console, reader: Reader) -> int:
    """Read every array of the trace, and return 0. Raise InputError at the first that was altered."""
    for folder in reader.folders():
        with console.status(folder):
            for name in reader.below(folder):
                reader.get(f"{folder}/{name}")
    console.print("every checksum fits")
    return 0


def compare(console: Console, first: Reader, second: Reader, layers: bool) -> int:
    """Print what differs between two traces, with `layers` every array that does. Return 1 if their values do."""
    # Traces may be made from different things and hold the same values: that alone is no difference.
    for line in diff.provenance(first, second):
        console.print(f"made from: {line}")
    same = True
    for line in diff.graphs(first, second):
        console.print(f"graph: {line}")
        same = False
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
    """Return the command's arguments. Exit where they cannot be used."""
    parser = Parser(
        PROG, "Shows or compares traces of the official network, which pytest parity --record FILE.h5 writes."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shows = commands.add_parser("info", help="what a trace was made from and what it holds")
    # A list of one, so that both commands have a list of files.
    shows.add_argument("file", type=Path, nargs=1, metavar="FILE")
    shows.add_argument("--verify", action="store_true", help="also read all of it and check every checksum")
    compares = commands.add_parser("diff", help="compare two traces array by array: versions, machines or checkpoints")
    compares.add_argument("file", type=Path, nargs=2, metavar="FILE")
    compares.add_argument("--layers", action="store_true", help="list every array that differs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    given = parse(arguments)
    console = PlainConsole()
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(path)) for path in given.file]
        if given.command == "diff":
            return compare(console, readers[0], readers[1], given.layers)
        code = info(console, readers[0])
        if given.verify:
            code = verify(console, readers[0])
        return code


if __name__ == "__main__":
    raise SystemExit(run(main, PROG))
