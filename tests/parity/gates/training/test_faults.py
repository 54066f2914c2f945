"""Every fault of training is caught and put at the right place; no harmless variation is."""

import pytest

from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP
from parity.diagnosis.training import verdict
from parity.diagnosis.verdict import TRAINING_KINDS
from parity.faults.training.bench import NETWORK, TrainingBench, up_to
from parity.faults.training.catalogue import TRAINING_FAULTS, TrainingFault
from parity.faults.training.variations import VARIATIONS, TrainingVariation

KIND = {
    FORWARD: "in training",
    LOSS: "differs",
    GRADIENT: "backward",
    GRADIENT_FLOAT32: "backward",
    STEP: "update",
}


def first_of_each_gate() -> list[object]:
    """All faults; those behind the first of each gate are slow, and so are those that take whole steps, or the official
    network cut at every layer."""
    seen = {GRADIENT_FLOAT32, STEP}
    found: list[object] = []
    for fault in TRAINING_FAULTS:
        found.append(pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.gate in seen else []))
        seen.add(fault.gate)
    return found


@pytest.mark.parametrize("fault", first_of_each_gate())
def test_a_fault_is_caught_and_put_at_the_right_place(fault: TrainingFault, bench: TrainingBench) -> None:
    results = bench.judge(fault.plant, fault.around, up_to(fault.gate))
    assert bench.verdict(results) == (fault.gate, fault.at)
    found = verdict(NETWORK, bench.parts.layers, results)
    assert found
    assert {culprit.kind for culprit in found.culprits} == {KIND[fault.gate]}


def test_every_kind_of_fault_is_tried() -> None:
    assert {KIND[fault.gate] for fault in TRAINING_FAULTS} == TRAINING_KINDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda variation: variation.name)
def test_a_harmless_variation_raises_no_alarm(variation: TrainingVariation, bench: TrainingBench) -> None:
    assert bench.verdict(bench.judge(variation.plant, variation.around, variation.gates)) == ("", ())


def test_the_catalogue_has_no_fault_twice() -> None:
    assert len({fault.name for fault in TRAINING_FAULTS}) == len(TRAINING_FAULTS) >= 15
