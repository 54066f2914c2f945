"""Plants every fault of training in the port, and tries every harmless variation: what the training gates make of each.

Writes the table as training-faults.md, and exits with 1 if a fault was missed, put at a wrong place, or a harmless
variation raised an alarm. Takes some minutes.
"""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.progress import track

from parity.core.command import Parser, run
from parity.core.files import replacing
from parity.core.machine import cpu
from parity.core.pinning import pin_torch
from parity.faults.record import PACKAGES
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


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    pin_torch(1)
    faults, variations = list(_faults()), list(_variations(options.seeds))
    right = sum(row[-1] for row in faults)
    with replacing(options.docs / "training-faults.md") as path:
        path.write_text("\n".join(_table(faults, variations)) + "\n")
    print(f"{right} of {len(faults)} faults caught and put at the right places")
    tried, alarms = sum(row[1] for row in variations), sum(row[2] for row in variations)
    print(f"{tried} harmless variations: {alarms} false alarms")
    return 0 if right == len(faults) and not alarms else 1


def _faults() -> Iterator[tuple[str, str, tuple[str, ...], bool]]:
    """Of each fault its name, the gate and the places that the verdict names, and whether they are right."""
    bench = TrainingBench()
    for fault in track(TRAINING_FAULTS, "faults"):
        gate, places = bench.verdict(bench.judge(fault.plant, fault.around, up_to(fault.gate)))
        right = (gate, places) == (fault.gate, fault.at)
        if not right:
            print(f"{fault.name}: expected {fault.gate} at {fault.at}, found {gate or 'no gate'} at {places}")
        yield fault.name, gate, places, right


def _variations(seeds: int) -> Iterator[tuple[str, int, int]]:
    """Of each variation its name, how often it was tried, and how many alarms it raised."""
    alarms = dict.fromkeys((variation.name for variation in VARIATIONS), 0)
    for seed in track(range(seeds), "variations"):
        bench = TrainingBench(seed)
        for variation in VARIATIONS:
            gate, places = bench.verdict(bench.judge(variation.plant, variation.around, variation.gates))
            if gate:
                alarms[variation.name] += 1
                print(f"{variation.name}, seed {seed}: false alarm of {gate} at {places}")
    for name, raised in alarms.items():
        yield name, seeds, raised


def _table(
    faults: Sequence[tuple[str, str, tuple[str, ...], bool]], variations: Sequence[tuple[str, int, int]]
) -> Iterator[str]:
    versions = [f"{name} {version(name)}" for name in PACKAGES] + [
        f"python {platform.python_version()}",
        f"cpu {cpu()}",
    ]
    yield HEAD.format(network=NETWORK, versions=", ".join(versions))
    yield "| fault | first gate that fails | what it names |"
    yield "| --- | --- | --- |"
    for name, gate, places, right in faults:
        yield f"| {name} | {gate or '**missed**'} | {'' if right else '**wrong**: '}{', '.join(places)} |"
    yield ""
    yield "| harmless variation | trials | false alarms |"
    yield "| --- | --- | --- |"
    for name, tried, alarms in variations:
        yield f"| {name} | {tried} | {alarms} |"


def parser() -> Parser:
    made = Parser(PROG, __doc__)
    made.add_argument(
        "--seeds", type=int, default=SEEDS, metavar="N", help="with each of which variations are tried (%(default)s)"
    )
    made.add_argument("--docs", type=Path, default=Path("docs"), metavar="DIR", help="for the table (%(default)s)")
    return made


if __name__ == "__main__":
    sys.exit(run(main, PROG))
