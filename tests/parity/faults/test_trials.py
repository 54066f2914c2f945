"""A seeded sample of the campaign's trials, each run for real; `pnasnet-parity faults` runs them all."""

import random

import pytest

from parity.faults.bench import Bench
from parity.faults.campaign import EVEN, Job, attempt, jobs_at, named, sample
from parity.faults.catalogue import FAULTS as CATALOGUE
from parity.faults.fault import Fault
from parity.faults.variations import VARIATIONS
from pnasnet_torch import PNASNet

# By number in the sample of faults, and by name: a variation's job has no site.
FAULTS = range(20)
# This variation once raised an alarm, and so did the one behind it, on one maker's processors alone.
QUICK: tuple[int | str, ...] = (0, 1, "batch norms folded in float64")
HARMLESS = ["batch norms folded", *sorted(random.Random(5).sample([variation.name for variation in VARIATIONS], 4))]


def as_parameter(trial: int | str) -> object:
    """The trial, slow unless it is one of the quick ones."""
    return pytest.param(trial, id=str(trial), marks=[] if trial in QUICK else [pytest.mark.slow])


@pytest.fixture(scope="module")
def every_job() -> list[Job]:
    """The jobs of the bench. Their sites are those of an official graph, which nobody waits for to collect."""
    return jobs_at(EVEN)


@pytest.mark.parametrize("trial", map(as_parameter, dict.fromkeys((*QUICK, *FAULTS, *HARMLESS))))
def test_the_verdict_is_right(bench: Bench, every_job: list[Job], trial: int | str) -> None:
    """A fault is caught and put at exactly its layers; a harmless variation raises no alarm."""
    planted = [job for job in every_job if isinstance(named()[job.name], Fault)]
    job = sample(planted, len(FAULTS), seed=4)[trial] if isinstance(trial, int) else Job(EVEN, trial, "")
    assert job in every_job
    outcome = attempt(bench, job)
    assert outcome.right, outcome


def planting_nothing(_model: PNASNet) -> None:
    pass


def test_the_sound_port_passes(bench: Bench) -> None:
    """By every gate, where the usual tolerances raise alarms."""
    trial = bench.trial(planting_nothing)
    assert trial.gates == []
    assert trial.verdict is None
    assert {"numpy.allclose", "torch.testing.assert_close", "Polygraphy"} <= trial.alarms.keys()


def test_two_faults_are_both_named(bench: Bench) -> None:
    """One behind the other, in the network's order."""
    layers = ("cell_2.comb_iter_3.left.relu_1", "cell_5.beginning_bn")

    def plant(model: PNASNet) -> None:
        for name, layer in zip(("ReLU missing", "epsilon of PyTorch"), layers, strict=True):
            next(fault for fault in CATALOGUE if fault.name == name).plant(model, layer)

    trial = bench.trial(plant)
    assert trial.verdict
    assert [culprit.layer for culprit in trial.verdict.culprits] == list(layers)
    assert not set(layers) & trial.verdict.downstream.keys()
