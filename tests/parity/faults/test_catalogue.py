"""The catalogue and the campaign are as large, and as wide, as they say."""

from collections import Counter

import pytest

from parity.faults.campaign import SITES, Job, jobs, named, sample
from parity.faults.catalogue import FAULTS, GROUPS
from parity.faults.checks import CHECKS
from parity.faults.fault import Fault
from parity.faults.padding import CADENE, CHENXI
from parity.faults.sites import spread


@pytest.fixture(scope="module")
def every_job() -> list[Job]:
    return jobs()


def test_there_are_faults_of_every_kind() -> None:
    """Over 60, each under a name of its own, in twelve groups; those of the known ports are among them."""
    assert len(named()) > len(FAULTS) > 60
    assert all(GROUPS.values())
    assert {fault.port.partition(" (")[0] for fault in FAULTS} >= {CHENXI, CADENE}
    assert {fault.kind for fault in FAULTS} >= {"operation", "wiring", "structure", "missing", "extra", "not reported"}


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


def test_a_sample_is_the_same_for_the_same_seed(every_job: list[Job]) -> None:
    """In the order of the campaign, and without what has to be compiled."""
    chosen = sample(every_job, 30, seed=1)
    assert chosen == sample(every_job, 30, seed=1) != sample(every_job, 30, seed=2)
    assert [job for job in every_job if job in chosen] == chosen
    assert all(job.name != "torch.compile" for job in sample(every_job, len(every_job), seed=1))


def test_simpler_checks_are_seven() -> None:
    assert len(CHECKS) == 7
