"""All trials of all faults and variations: which there are, and how they are run."""

import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from parity.candidate.engines import EngineCandidate
from parity.core.layers import Network
from parity.core.pinning import pin_torch
from parity.core.specification import PHOTOGRAPHS
from parity.faults.bench import Bench
from parity.faults.catalogue import FAULTS
from parity.faults.fault import Fault
from parity.faults.nonsquare import ROWS_AND_COLUMNS
from parity.faults.record import Outcome
from parity.faults.sites import Places, spread
from parity.faults.variations import COMPILED, VARIATIONS, Variation
from parity.session.options import Options
from tf_reference import official
from tf_reference.graph import GraphSpec, reference_graph


@dataclass(frozen=True)
class Setting:
    """What all trials on one bench share: the network, the seed of weights and integers, and the photographs."""

    network: Network
    seed: int
    photographs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.network} seed {self.seed} {'+'.join(self.photographs)}"


# At 65 pixels all maps that are halved are even (32, 16, 8, 4), at 67 all are odd (33, 17, 9, 5).
CHELSEA, ALL = ("chelsea",), ("astronaut", "chelsea", "coffee", "rocket")
EVEN, ODD = (Setting(Network("mobile", side, side), 0, CHELSEA) for side in (65, 67))
LARGE_EVEN, LARGE_ODD = (Setting(Network("large", side, side), 0, CHELSEA) for side in (65, 67))
# At how many sites each fault is tried.
SITES = {EVEN: 2, ODD: 2, LARGE_EVEN: 1, LARGE_ODD: 1}
# Of every map that is halved the one side is even and the other odd, with more columns (32x33, 16x17, 8x9, 4x5) or more
# rows (49x32, 25x16, 13x8, 7x4): so a fault of rows and columns shows wherever it can. Only these are tried here.
WIDE, HIGH = (Setting(Network("mobile", *sides), 0, CHELSEA) for sides in ((65, 67), (99, 65)))
LARGE_HIGH = Setting(Network("large", 67, 65), 0, CHELSEA)
EVERY = sys.maxsize
NONSQUARE = {WIDE: EVERY, HIGH: 1, LARGE_HIGH: 1}
VARIED = (
    *SITES,
    Setting(Network("mobile", 64, 64), 1, ("coffee",)),
    Setting(Network("mobile", 90, 61), 2, ("astronaut",)),
    Setting(Network("mobile", 65, 65), 1, ALL[:3]),
    Setting(Network("mobile", 67, 67), 2, (*ALL, *ALL)),
    Setting(Network("mobile", 128, 128), 0, ("rocket",)),
)
# Compiling takes minutes for each network.
COMPILED_AT = (EVEN, Setting(EVEN.network, 1, ("rocket",)))


@dataclass(frozen=True)
class Job:
    """A fault at a site, or (without a site) a harmless variation."""

    setting: Setting
    name: str
    site: str

    @property
    def key(self) -> tuple[str, str, str]:
        return str(self.setting), self.name, self.site


@cache
def named() -> dict[str, Fault | Variation]:
    """The faults and variations by name."""
    rows: list[Fault | Variation] = [*FAULTS, *VARIATIONS, COMPILED]
    return {row.name: row for row in rows}


@cache
def jobs() -> tuple[Job, ...]:
    """All of them, those of one setting one after the other."""
    found: list[Job] = []
    for setting in dict.fromkeys((*VARIED, *NONSQUARE, *COMPILED_AT)):
        places = _places(setting.network)
        faults, count = FAULTS, SITES.get(setting, 0)
        if setting in NONSQUARE:
            faults, count = ROWS_AND_COLUMNS, NONSQUARE[setting]
        for turn, fault in enumerate(faults):
            found += [Job(setting, fault.name, site) for site in spread(fault.where(places), count, turn)]
        variations = VARIATIONS if setting in VARIED else ()
        found += [Job(setting, row.name, "") for row in variations if row.sites(places)]
        found += [Job(setting, COMPILED.name, "")] if setting in COMPILED_AT else []
    return tuple(found)


def _places(network: Network) -> Places:
    spec = GraphSpec(network.variant, network.height, network.width)
    return Places(reference_graph(official.find("official"), spec))


def sample(found: Sequence[Job], count: int, seed: int) -> list[Job]:
    """So many of them at random, in their order; none that has to be compiled."""
    quick = [job for job in found if job.name != COMPILED.name]
    chosen = set(random.Random(seed).sample(range(len(quick)), min(count, len(quick))))
    return [job for number, job in enumerate(quick) if number in chosen]


def run(todo: Iterable[Job], threads: int) -> Iterator[Outcome]:
    """The outcomes of the jobs, one bench at a time."""
    pin_torch(threads)
    for setting, group in groupby(todo, key=lambda job: job.setting):
        bench = make_bench(setting, threads)
        for job in group:
            yield attempt(bench, job)
        bench.close()


def make_bench(setting: Setting, threads: int) -> Bench:
    images = tuple(PHOTOGRAPHS / f"{name}.jpg" for name in setting.photographs)
    return Bench(Options((setting.network,), None, images, ("official",), setting.seed, threads), checks=True)


@cache
def compiled() -> EngineCandidate:
    """The port as torch.compile compiles it, once for each network and dtype."""
    return EngineCandidate("compile", threads=1)


def attempt(bench: Bench, job: Job) -> Outcome:
    """Plants, runs all gates and checks, and looks at the verdict."""
    start = time.monotonic()
    row = named()[job.name]
    expected: dict[str, str] = {}
    if isinstance(row, Fault):
        trial = bench.trial(lambda model: row.plant(model, job.site))
        expected = dict.fromkeys(row.at(job.site), row.kind)
    else:
        places = Places(bench.graph)
        with row.around():
            if row.compiled:
                trial = bench.judge(compiled())
            else:
                trial = bench.trial(lambda model: row.plant(model, places), folded=row.folded(places))
    culprits = {culprit.layer: culprit.kind for culprit in trial.verdict.culprits} if trial.verdict else {}
    seconds = round(time.monotonic() - start, 2)
    return Outcome(*job.key, tuple(trial.gates), culprits, expected, dict(trial.alarms), seconds)
