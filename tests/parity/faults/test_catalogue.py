"""The catalogue and the campaign are as large, and as wide, as they say."""

from collections import Counter, defaultdict

import pytest

from parity.candidate.port import make_model
from parity.faults import sides
from parity.faults.campaign import NONSQUARE, SITES, WIDE, Job, jobs, jobs_at, named, sample
from parity.faults.catalogue import FAULTS, GROUPS
from parity.faults.checks import CHECKS
from parity.faults.fault import Fault
from parity.faults.nonsquare import OF_A_CELL, ROWS_AND_COLUMNS
from parity.faults.padding import CADENE, CHENXI
from parity.faults.sites import spread
from parity.faults.variations import COMPILED


@pytest.fixture(scope="module")
def every_job() -> list[Job]:
    """For which eleven official graphs are built, where they are not in the cache: its tests are slow."""
    return list(jobs())


@pytest.fixture(scope="module")
def wide_jobs() -> list[Job]:
    return jobs_at(WIDE)


def test_there_are_faults_of_every_kind() -> None:
    """Over 60, each under a name of its own, in thirteen groups; those of the known ports are among them."""
    assert len(named()) > len(FAULTS) > 60
    assert all(GROUPS.values())
    assert {fault.port.partition(" (")[0] for fault in FAULTS} >= {CHENXI, CADENE}
    assert {fault.kind for fault in FAULTS} >= {"operation", "wiring", "structure", "missing", "extra", "not reported"}


@pytest.mark.slow
def test_each_fault_is_tried(every_job: list[Job]) -> None:
    """At least 400 trials; each fault on Large and on Mobile, where they differ in nothing that it needs."""
    trials = [job for job in every_job if isinstance(named()[job.name], Fault)]
    assert len(trials) >= 400
    networks = {
        fault.name: {job.setting.network.variant for job in trials if job.name == fault.name} for fault in FAULTS
    }
    odd_filters = {"reduction: odd filters split the other way"}  # Large has none
    assert {name for name, variants in networks.items() if variants != {"large", "mobile"}} == odd_filters
    assert len(set(trials)) == len(trials)


@pytest.mark.slow
def test_faults_of_rows_and_columns_are_tried_where_maps_are_no_squares(every_job: list[Job]) -> None:
    """Each on every such network, on which no other fault is tried, and on no other network."""
    tried = {(job.setting, job.name) for job in every_job if isinstance(named()[job.name], Fault)}
    names = {fault.name for fault in ROWS_AND_COLUMNS}
    assert {(setting, name) for setting, name in tried if setting in NONSQUARE or name in names} == {
        (setting, name) for setting in NONSQUARE for name in names
    }


def test_faults_of_rows_and_columns_are_tried_at_every_site(wide_jobs: list[Job]) -> None:
    """At each layer of stride 2 that the port has, or in each cell."""
    sites: defaultdict[str, set[str]] = defaultdict(set)
    for job in wide_jobs:
        sites[job.name].add(job.site)
    modules = dict(make_model(WIDE.network, "float32").named_modules())
    halving = {name for name, module in modules.items() if getattr(module, "stride", 1) in (2, (2, 2))} - {"conv0"}
    cells = {name for name in modules if name.startswith("cell_") and "." not in name}
    for kind, last in (("depthwise", ".depthwise"), ("max-pool", ".max_pool")):
        for name in sides.PADS:
            assert sites[f"{kind}: {name}"] == {layer for layer in halving if layer.endswith(last)}
    for kind in OF_A_CELL:
        for name in sides.MAPS:
            assert sites[f"{kind}: {name}"] == cells
    paths = {name for name in modules if name.endswith((".avg_pool", ".avg_pool_1"))}
    assert sites["reduction: positions of the rows for both"] == paths
    assert sites["1x1 of stride 2: positions of the rows for both"] == {
        name for name in halving if name.endswith(".1x1")
    }


@pytest.mark.slow
def test_there_are_200_harmless_variations(every_job: list[Job]) -> None:
    """Of each at least two, on networks, seeds, photographs and batches of every kind."""
    harmless = [job for job in every_job if not isinstance(named()[job.name], Fault)]
    assert len(harmless) >= 200
    assert min(Counter(job.name for job in harmless).values()) >= 2
    settings = {job.setting for job in harmless}
    assert {len(setting.photographs) for setting in settings} >= {1, 3, 8}
    assert len({setting.seed for setting in settings}) >= 3


def test_sites_are_the_first_the_last_and_a_middle_one() -> None:
    """With one site each, they take turns."""
    sites = ["a", "b", "c", "d", "e"]
    assert [spread(sites, 1, turn) for turn in range(4)] == [["a"], ["e"], ["c"], ["a"]]
    assert spread(sites, 2, 1) == ["e", "c"]
    assert spread(sites, 9, 1) == sites
    assert spread(sites, 0, 1) == []
    assert set(SITES.values()) == {1, 2}


def test_a_sample_is_the_same_for_the_same_seed(wide_jobs: list[Job]) -> None:
    """In the order of the campaign, and without what has to be compiled."""
    every_job = [*wide_jobs, Job(WIDE, COMPILED.name, "")]
    chosen = sample(every_job, 30, seed=1)
    assert chosen == sample(every_job, 30, seed=1) != sample(every_job, 30, seed=2)
    assert [job for job in every_job if job in chosen] == chosen
    assert sample(every_job, len(every_job), seed=1) == wide_jobs


def test_simpler_checks_are_seven() -> None:
    assert len(CHECKS) == 7
