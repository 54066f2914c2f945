"""Plants every fault of training in the port, and tries every harmless variation: what the training gates make of each.

Writes the table as training-faults.md; with fewer --seeds than usual it is printed, unless --docs is given. Exits with
1 if a fault was missed, put at a wrong place, or a harmless variation raised an alarm. Takes half an hour.
"""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.progress import track

from parity.core.command import Parser, run
from parity.core.files import check_writable, replacing
from parity.core.machine import FRAMEWORKS, cpu
from parity.core.pinning import pin_torch
from parity.faults.training.bench import NETWORK, TrainingBench, up_to
from parity.faults.training.catalogue import TRAINING_FAULTS
from parity.faults.training.variations import VARIATIONS

PROG = "pnasnet-parity training-faults"
# Of photographs, weights of the auxiliary head, and draws, for the variations.
SEEDS = 10
HEAD = """\
# Which faults of training are caught, and where

Measured by `pnasnet-parity training-faults`, which writes this file, on {network} with drop path. A fault is planted
in the port, the training gates run, and the first that fails has to name exactly the places expected. Harmless
variations change the order of roundings at most, and who has the gradient where elements tie.

{versions}.
"""


class FaultRow(NamedTuple):
    """A fault's name, the gate and the places that the verdict names, and whether they are right."""

    name: str
    gate: str
    places: tuple[str, ...]
    right: bool


class VariationRow(NamedTuple):
    """A variation's name, how often it was tried, and how many false alarms it raised."""

    name: str
    tried: int
    alarms: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every fault and variation, and write the table; return the exit code."""
    options = parser().parse_args(arguments)
    folder = options.docs
    if folder is None and options.seeds >= SEEDS:
        folder = Path("docs")
    if folder is not None:
        check_writable(folder)
    pin_torch(1)
    faults = list(_faults())
    variations = list(_variations(options.seeds))
    table = "\n".join(_table(faults, variations))
    # The table that is published is replaced by one of all seeds alone.
    if folder is None:
        print(table)
    else:
        with replacing(folder / "training-faults.md") as path:
            path.write_text(f"{table}\n")
    right = sum(row.right for row in faults)
    print(f"{right} of {len(faults)} faults caught and put at the right places")
    tried = sum(row.tried for row in variations)
    alarms = sum(row.alarms for row in variations)
    print(f"{tried} harmless variations: {alarms} false alarms")
    return 0 if right == len(faults) and not alarms else 1


def _faults() -> Iterator[FaultRow]:
    """Plant each fault, and yield what was found; print those that were not found as they should be."""
    bench = TrainingBench()
    for fault in track(TRAINING_FAULTS, "faults"):
        # No gate behind the one that is to find it first is run.
        gate, places = bench.verdict(bench.judge(fault.plant, fault.around, up_to(fault.gate)))
        right = (gate, places) == (fault.gate, fault.at)
        if not right:
            print(f"{fault.name}: expected {fault.gate} at {fault.at}, found {gate or 'no gate'} at {places}")
        yield FaultRow(fault.name, gate, places, right)


def _variations(seeds: int) -> Iterator[VariationRow]:
    """Try each variation with so many seeds, and yield how many alarms it raised; print each alarm."""
    alarms = {variation.name: 0 for variation in VARIATIONS}
    for seed in track(range(seeds), "variations"):
        bench = TrainingBench(seed)
        for variation in VARIATIONS:
            gate, places = bench.verdict(bench.judge(variation.plant, variation.around, variation.gates))
            if gate:
                alarms[variation.name] += 1
                print(f"{variation.name}, seed {seed}: false alarm of {gate} at {places}")
    for name, raised in alarms.items():
        yield VariationRow(name, seeds, raised)


def _table(faults: Sequence[FaultRow], variations: Sequence[VariationRow]) -> Iterator[str]:
    """Yield the lines of the document."""
    versions = [f"{name} {version(name)}" for name in FRAMEWORKS]
    versions.append(f"python {platform.python_version()}")
    versions.append(f"cpu {cpu()}")
    yield HEAD.format(network=NETWORK, versions=", ".join(versions))
    yield "| fault | first gate that fails | what it names |"
    yield "| --- | --- | --- |"
    for fault in faults:
        wrong = "" if fault.right else "**wrong**: "
        yield f"| {fault.name} | {fault.gate or '**missed**'} | {wrong}{', '.join(fault.places)} |"
    yield ""
    yield "| harmless variation | trials | false alarms |"
    yield "| --- | --- | --- |"
    for variation in variations:
        yield f"| {variation.name} | {variation.tried} | {variation.alarms} |"


def parser() -> Parser:
    """Return the command's parser."""
    command = Parser(PROG, __doc__)
    command.add_argument(
        "--seeds", type=int, default=SEEDS, metavar="N", help="with each of which variations are tried (%(default)s)"
    )
    command.add_argument("--docs", type=Path, metavar="DIR", help="for the table (docs)")
    return command


if __name__ == "__main__":
    sys.exit(run(main, PROG))
