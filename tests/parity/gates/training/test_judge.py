"""The training gates pass the port as it is, and every harmless variation; faults are caught and put at their places.

What the port raises is a result, what the suite raises is none.
"""

from functools import partial
from typing import Any
from unittest import mock

import pytest
from torch import nn

from parity.core.layers import WHOLE
from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP, names
from parity.diagnosis.training import verdict
from parity.diagnosis.verdict import TRAINING_KINDS
from parity.faults.training.bench import NETWORK, TrainingBench, up_to
from parity.faults.training.catalogue import TRAINING_FAULTS, TrainingFault
from parity.faults.training.variations import VARIATIONS, TrainingVariation
from pnasnet_torch.optimizer import RMSProp

KIND = {
    FORWARD: "in training",
    LOSS: "differs",
    GRADIENT: "backward",
    GRADIENT_FLOAT32: "backward",
    STEP: "update",
}


@pytest.mark.parametrize("gates", [(FORWARD, LOSS, GRADIENT), pytest.param((STEP,), marks=pytest.mark.slow)])
def test_the_port_passes_in_every_name(bench: TrainingBench, gates: tuple[str, ...]) -> None:
    results = bench.judge(gates=gates)
    for gate in gates:
        assert {*results[gate]} == {*names(gate, NETWORK)}
        assert all(results[gate].values())


def test_what_one_side_alone_regularises_is_named(bench: TrainingBench) -> None:
    (fault,) = (fault for fault in TRAINING_FAULTS if fault.name == "L2 on batch norms")
    results = bench.judge(fault.plant, fault.around, (FORWARD, LOSS))
    assert "regularised variable conv0_bn/gamma: the port alone has it" in str(results[LOSS][WHOLE])


def test_what_the_port_raises_is_the_result_of_what_was_not_reached(bench: TrainingBench) -> None:
    def fail(_module: nn.Module, _inputs: Any) -> None:
        raise RuntimeError("planted")

    def plant(model: nn.Module) -> None:
        model.get_submodule("cell_8").register_forward_pre_hook(fail)

    results = bench.judge(plant, gates=(FORWARD, LOSS, GRADIENT))
    assert results[FORWARD]["cell_7.1x1"]
    for result in (results[FORWARD]["cell_8.1x1"], *results[GRADIENT].values()):
        assert not result
        assert "planted" in result.problem


def test_an_error_of_its_own_is_no_result(bench: TrainingBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.core.compare.float64", lambda *_arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.judge(gates=(FORWARD,))


@pytest.mark.slow
@pytest.mark.parametrize(("constant", "kind"), [({"decay": 0.99}, "rms"), ({"momentum": 0.0}, "momentum")], ids=str)
def test_another_constant_of_the_optimiser_is_found(constant: dict[str, Any], kind: str, bench: TrainingBench) -> None:
    """Without momentum, the first step is as it should be."""
    changed = partial(mock.patch, "parity.candidate.training.port.RMSProp", partial(RMSProp, **constant))
    results = bench.judge(around=changed, gates=(STEP,))
    assert bench.verdict(results) == (STEP, (kind,))
    found = verdict(NETWORK, bench.graph.network.layers, results)
    assert found
    (culprit,) = found.culprits
    assert (culprit.layer.rpartition("/")[2], culprit.kind) == (kind, "update")
    assert culprit.hints[-1].endswith(f"more: {kind}")
    assert set(found.downstream) >= {"conv0/weights", "conv0/weights/average"}


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
