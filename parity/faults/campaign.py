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
from parity.faults.bench import Bench, Trial
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


CHELSEA = ("chelsea",)
ALL = ("astronaut", "chelsea", "coffee", "rocket")
# At 65 pixels all maps that are halved are even (32, 16, 8, 4), at 67 all are odd (33, 17, 9, 5).
EVEN = Setting(Network("mobile", 65, 65), 0, CHELSEA)
ODD = Setting(Network("mobile", 67, 67), 0, CHELSEA)
LARGE_EVEN = Setting(Network("large", 65, 65), 0, CHELSEA)
LARGE_ODD = Setting(Network("large", 67, 67), 0, CHELSEA)
# At how many sites each fault is tried.
SITES = {EVEN: 2, ODD: 2, LARGE_EVEN: 1, LARGE_ODD: 1}
# Of every map that is halved the one side is even and the other odd, with more columns (32x33, 16x17, 8x9, 4x5) or more
# rows (49x32, 25x16, 13x8, 7x4): so a fault of rows and columns shows wherever it can. Only these are tried here.
WIDE = Setting(Network("mobile", 65, 67), 0, CHELSEA)
HIGH = Setting(Network("mobile", 99, 65), 0, CHELSEA)
LARGE_HIGH = Setting(Network("large", 67, 65), 0, CHELSEA)
EVERY = sys.maxsize
NONSQUARE = {WIDE: EVERY, HIGH: 1, LARGE_HIGH: 1}
# Variations are tried with other sizes, seeds and photographs, too, and with batches of three and eight.
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
        """What tells the job from all others: its setting in words, the name and the site."""
        return str(self.setting), self.name, self.site


@cache
def named() -> dict[str, Fault | Variation]:
    """Return all faults and variations by name."""
    everything: list[Fault | Variation] = [*FAULTS, *VARIATIONS, COMPILED]
    return {entry.name: entry for entry in everything}


@cache
def jobs() -> tuple[Job, ...]:
    """Return all jobs, those of one setting one after the other."""
    every_job: list[Job] = []
    # A dictionary, for each setting once, in this order.
    for setting in dict.fromkeys((*VARIED, *NONSQUARE, *COMPILED_AT)):
        every_job += jobs_at(setting)
    return tuple(every_job)


def jobs_at(setting: Setting) -> list[Job]:
    """Return the jobs of one setting. Where its official graph is not in the cache, that is built."""
    places = _places(setting.network)
    of_setting = list(_faults_at(setting, places))
    if setting in VARIED:
        of_setting += _variations_at(setting, places)
    if setting in COMPILED_AT:
        of_setting.append(Job(setting, COMPILED.name, ""))
    return of_setting


def _variations_at(setting: Setting, places: Places) -> Iterator[Job]:
    """Yield the jobs of all variations of the catalogue that have a site in a setting."""
    for variation in VARIATIONS:
        # What has no site here would change nothing.
        if variation.sites(places):
            yield Job(setting, variation.name, "")


def _faults_at(setting: Setting, places: Places) -> Iterator[Job]:
    """Yield the jobs of all faults that are tried in a setting."""
    if setting in NONSQUARE:
        faults = ROWS_AND_COLUMNS
        count = NONSQUARE[setting]
    else:
        faults = FAULTS
        count = SITES.get(setting, 0)
    for turn, fault in enumerate(faults):
        for site in spread(fault.where(places), count, turn):
            yield Job(setting, fault.name, site)


def _places(network: Network) -> Places:
    """Return the layers and cells of the official network."""
    spec = GraphSpec(network.variant, network.height, network.width)
    return Places(reference_graph(official.find("official"), spec))


def sample(every_job: Sequence[Job], count: int, seed: int) -> list[Job]:
    """Return so many of the jobs at random, in their order; none that has to be compiled."""
    quick = [job for job in every_job if job.name != COMPILED.name]
    count = min(count, len(quick))
    places = range(len(quick))
    chosen = random.Random(seed).sample(places, count)
    return [quick[place] for place in sorted(chosen)]


def run(todo: Iterable[Job], threads: int) -> Iterator[Outcome]:
    """Yield the outcomes of the jobs, one bench at a time."""
    pin_torch(threads)
    for setting, group in groupby(todo, key=lambda job: job.setting):
        bench = make_bench(setting, threads)
        for job in group:
            yield attempt(bench, job)
        bench.close()


def make_bench(setting: Setting, threads: int) -> Bench:
    """Return the bench of a setting, with the simpler checks."""
    images = tuple(PHOTOGRAPHS / f"{name}.jpg" for name in setting.photographs)
    options = Options((setting.network,), None, images, ("official",), setting.seed, threads)
    return Bench(options, checks=True)


@cache
def compiled() -> EngineCandidate:
    """Return the port as torch.compile compiles it, once for each network and dtype."""
    return EngineCandidate("compile")


def attempt(bench: Bench, job: Job) -> Outcome:
    """Plant what the job names, run all gates and checks, and return what came of it, with the verdict."""
    start = time.monotonic()
    entry = named()[job.name]
    expected: dict[str, str] = {}
    if isinstance(entry, Fault):
        trial = bench.trial(lambda model: entry.plant(model, job.site))
        expected = dict.fromkeys(entry.at(job.site), entry.kind)
    else:
        trial = _vary(bench, entry)
    culprits: dict[str, str] = {}
    if trial.verdict:
        for culprit in trial.verdict.culprits:
            culprits[culprit.layer] = culprit.kind
    seconds = round(time.monotonic() - start, 2)
    return Outcome(*job.key, tuple(trial.gates), culprits, expected, dict(trial.alarms), seconds)


def _vary(bench: Bench, variation: Variation) -> Trial:
    """Judge a harmless variation."""
    places = Places(bench.graph)
    with variation.around():
        if variation.compiled:
            return bench.judge(compiled())
        folded = variation.folded(places)
        return bench.trial(lambda model: variation.plant(model, places), folded=folded)
