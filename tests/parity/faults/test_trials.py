"""A seeded sample of the campaign's trials, each run for real; `pnasnet-parity faults` runs them all."""

import pytest

from parity.faults.bench import Bench
from parity.faults.campaign import EVEN, Job, attempt, jobs, named, sample
from parity.faults.catalogue import FAULTS as CATALOGUE
from parity.faults.fault import Fault
from pnasnet_torch import PNASNet

# Those of one bench.
FAULTS = [job for job in jobs() if job.setting == EVEN and isinstance(named()[job.name], Fault)]
HARMLESS = [job for job in jobs() if job.setting == EVEN and job not in FAULTS]
# What once raised an alarm on one maker's processors alone.
FOLDED = [job for job in HARMLESS if job.name == "batch norms folded"]
QUICK = [*sample(FAULTS, 2, seed=4), *FOLDED]
MORE = [job for job in (*sample(FAULTS, 18, seed=5), *sample(HARMLESS, 4, seed=4)) if job not in QUICK]


def as_parameter(job: Job) -> object:
    """The job, under a name; slow unless it is one of the quick ones."""
    marks = [] if job in QUICK else [pytest.mark.slow]
    return pytest.param(job, id=f"{job.name} at {job.site}" if job.site else job.name, marks=marks)


@pytest.mark.parametrize("job", map(as_parameter, (*QUICK, *MORE)))
def test_the_verdict_is_right(bench: Bench, job: Job) -> None:
    """A fault is caught and put at exactly its layers; a harmless variation raises no alarm."""
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
