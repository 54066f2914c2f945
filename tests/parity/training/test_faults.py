"""Every fault of training is caught and put at the right place; no harmless variation is."""

import pytest

from parity.faults.training.bench import TrainingBench
from parity.faults.training.catalogue import TRAINING_FAULTS, TrainingFault
from parity.faults.training.variations import VARIATIONS, TrainingVariation


@pytest.mark.parametrize("fault", TRAINING_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_caught_and_put_at_the_right_place(fault: TrainingFault, bench: TrainingBench) -> None:
    assert bench.verdict(bench.judge(fault.plant, fault.around)) == (fault.gate, fault.at)


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda variation: variation.name)
def test_a_harmless_variation_raises_no_alarm(variation: TrainingVariation, bench: TrainingBench) -> None:
    assert bench.verdict(bench.judge(variation.plant, variation.around, variation.gates)) == ("", ())


def test_the_catalogue_has_no_fault_twice() -> None:
    assert len({fault.name for fault in TRAINING_FAULTS}) == len(TRAINING_FAULTS) >= 15
