"""A layer is run alone on TensorFlow's inputs, and what arrives at it is told, whatever comes before it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.candidate.capture import CandidateError
from parity.candidate.port import Port
from parity.diagnosis.examiner import Examiner
from parity.diagnosis.replay import Observed
from parity.faults import plant
from pnasnet_torch import PNASNet
from tf_reference.graph import ReferenceGraph

Examine = Callable[..., Examiner]
BN, ADD, CONV = "cell_2.comb_iter_2.right.bn_sep_3x3_1", "cell_3.comb_iter_4.combine.add", "cell_5.1x1"
EARLY, POOL, RELU = "cell_0.path1_conv", "cell_1.comb_iter_0.right.max_pool", "cell_1.comb_iter_0.left.relu"


def sound(_model: PNASNet) -> None: ...


def epsilon(model: PNASNet) -> None:
    plant.part(model, BN).eps = 1e-5


def doubled(model: PNASNet, layer: str = EARLY) -> None:
    plant.after(model, layer, lambda x: 2 * x)


def broken(*_: Tensor) -> Tensor:
    raise ValueError("planted")


@pytest.fixture(scope="module")
def all_sound(examine: Examine) -> Examiner:
    """A sound port, every layer of which is examined."""
    names = examine(sound).graph.layers
    return examine(sound, *names)


def test_each_layer_of_a_sound_port_passes_alone(all_sound: Examiner) -> None:
    """On TensorFlow's own inputs, by the float64 gate, in the order that was asked for."""
    assert list(all_sound.replays) == list(all_sound.graph.layers)
    assert all(all_sound.replays.values())
    assert {result.gate for result in all_sound.replays.values()} == {"float64"}
    assert all_sound.at_fault == set()


@pytest.mark.parametrize("layer", ["conv0", BN, ADD, CONV, "final_layer.mean", "final_layer.predictions"])
def test_a_layer_of_a_sound_port_has_no_hints(all_sound: Examiner, layer: str) -> None:
    """It also passes alone in float32."""
    assert list(all_sound.wiring.arrivals(layer)) == []
    assert list(all_sound.operation_hints(layer)) == []
    (single,) = all_sound.replay_in_float32(layer)
    assert single
    assert single.gate == "float32"


def test_layers_that_one_side_lacks_are_left_aside(examine: Examine) -> None:
    """One that only the port has, and one that neither has."""
    examiner = examine(lambda model: model.add_module("own", torch.nn.ReLU()), "own", "conv0", "nobody.s")
    assert examiner.layers == ["conv0"]


def test_a_faulty_operation_fails_alone_whatever_comes_before_it(examine: Examine) -> None:
    """What only comes behind it passes alone."""

    def fault(model: PNASNet) -> None:
        doubled(model)
        epsilon(model)

    examiner = examine(fault, EARLY, BN, ADD, CONV)
    assert examiner.at_fault == {EARLY, BN}
    assert list(examiner.operation_hints(BN)) == ["it gives: epsilon 1e-05"]
    assert list(examiner.operation_hints(EARLY)) == ["it gives: scaled by 2"]


def test_without_a_float32_side_there_is_no_replay_in_float32(examine: Examine) -> None:
    assert list(examine(epsilon, BN, single=False).replay_in_float32(BN)) == []
    (single,) = examine(epsilon, BN).replay_in_float32(BN)
    assert not single


def test_an_error_in_a_replay_is_its_result(examine: Examine) -> None:
    """In both dtypes, and there is nothing to hint at."""
    examiner = examine(lambda model: plant.replace(model, CONV, broken), CONV)
    for result in (examiner.replays[CONV], *examiner.replay_in_float32(CONV)):
        assert not result
        assert result.problem == "it raises ValueError: planted"
    assert list(examiner.operation_hints(CONV)) == []
    assert examiner.at_fault == {CONV}


def test_a_wrong_parameter_is_told_with_the_operation_it_makes(examine: Examine) -> None:
    def fault(model: PNASNet) -> None:
        plant.exchange(model, (BN, "weight"), (BN, "bias"))

    scope = BN.replace(".", "/")
    assert sorted(examine(fault, BN).operation_hints(BN)) == [
        f"{scope}/beta: the values of {scope}/gamma",
        f"{scope}/gamma: the values of {scope}/beta",
        "it gives: gamma and beta exchanged",
    ]


def test_a_port_that_cannot_be_made_is_an_error_of_the_port(examine: Examine) -> None:
    with pytest.raises(CandidateError, match="the candidate fails with ValueError: planted"):
        examine(broken, CONV)


ARRIVALS: dict[str, tuple[Callable[[PNASNet], object], str, list[str]]] = {
    "another layer's output": (
        lambda model: plant.inputs(model, "cell_1", lambda net, prev: (prev, net)),
        "cell_1.relu_1",
        ["it gets the output of cell_stem_1.cell_output.concat, not cell_0.cell_output.concat"],
    ),
    "an input exchanged": (
        lambda model: plant.rewire(model, "cell_3", outputs=(2, 1, 4, 5, 6)),
        "cell_3.cell_output.concat",
        ["input 1 gets the output of cell_3.prev_bn, not cell_3.comb_iter_1.combine.add"],
    ),
    "changed in place": (
        lambda model: setattr(plant.part(model, RELU), "inplace", True),
        POOL,
        [f"it gets cell_1.prev_bn as {RELU} changed it in place, not cell_1.prev_bn"],
    ),
    "changed on the way": (
        lambda model: plant.before(model, CONV, torch.neg),
        CONV,
        ["it gets a value of no layer: cell_5.relu_1, the negative of it, not cell_5.relu_1"],
    ),
    "another layer's values": (
        lambda model: plant.inputs(model, "cell_2", lambda net, prev: (prev.clone(), prev)),
        "cell_2.relu_1",
        ["it gets the values of cell_0.cell_output.concat, not cell_1.cell_output.concat"],
    ),
    "values of nothing": (
        lambda model: plant.before(model, CONV, lambda x: x.flip(1).roll(3, 1) * x),
        CONV,
        ["it gets a value of no layer, not cell_5.relu_1"],
    ),
    "fewer inputs": (
        lambda model: plant.rewire(model, "cell_3", outputs=(2, 3, 4, 5)),
        "cell_3.cell_output.concat",
        ["it gets 4 inputs, not 5"],
    ),
}


@pytest.mark.parametrize("name", ARRIVALS)
def test_what_arrives_at_a_layer_is_told(examine: Examine, name: str) -> None:
    """In words, with what should arrive; alone the layer passes, and the fault is known to be there."""
    fault, layer, words = ARRIVALS[name]
    examiner = examine(fault, layer)
    assert list(examiner.wiring.arrivals(layer)) == words
    assert examiner.replays[layer]
    assert examiner.at_fault == {layer}


def test_a_wrong_input_is_seen_behind_another_fault(examine: Examine) -> None:
    """Where no value is the official one any more, by the port's own outputs."""

    def fault(model: PNASNet) -> None:
        doubled(model)
        plant.inputs(model, "cell_4", lambda net, prev: (net, net))

    examiner = examine(fault, EARLY, "cell_3.relu", "cell_4.relu", "cell_4.relu_1")
    assert examiner.at_fault == {EARLY, "cell_4.relu"}
    (words,) = examiner.wiring.arrivals("cell_4.relu")
    assert words == "it gets the output of cell_3.cell_output.concat, not cell_2.cell_output.concat"


def relus_in_place(model: PNASNet) -> None:
    """Those that take no state which others take too: as many ports have them, and no fault."""
    for name, module in model.named_modules():
        if name.endswith(("left.relu_1", "right.relu_1")):
            vars(module)["inplace"] = True


def test_what_is_no_number_arrives_as_it_was_given(examine: Examine) -> None:
    """Behind a NaN too, a ReLU in place is no fault."""

    def fault(model: PNASNet) -> None:
        relus_in_place(model)
        plant.after(model, BN, lambda x: x * torch.nan)

    before, behind = BN.replace("bn_sep", "separable"), "cell_2.comb_iter_2.right.separable_3x3_2.depthwise"
    assert examine(fault, f"{before}.pointwise", BN, behind, "cell_3.relu").at_fault == {BN}


def test_inputs_in_a_list_are_none(examine: Examine) -> None:
    """A layer is called with tensors, one for each layer that feeds it."""

    layer = "cell_3.cell_output.concat"

    def fault(model: PNASNet) -> None:
        plant.part(model, layer).register_forward_pre_hook(lambda _module, parts: (list(parts),))
        plant.replace(model, layer, lambda parts: torch.cat(parts, 1))

    examiner = examine(fault, layer, CONV)
    assert list(examiner.wiring.arrivals(layer)) == ["it gets 0 inputs, not 5"]
    assert examiner.at_fault == {layer}
    assert not examiner.wiring.observed.error


def test_a_value_that_is_computed_twice_is_no_fault(examine: Examine) -> None:
    """It is no layer's output, but the same values."""
    assert examine(lambda model: plant.before(model, CONV, torch.clone), CONV).at_fault == set()


def test_what_follows_a_layer_that_never_runs_is_not_at_fault(examine: Examine) -> None:
    layer = "cell_5.relu_1"
    examiner = examine(lambda model: plant.skip(model, layer), layer, CONV)
    assert examiner.at_fault == set()
    assert list(examiner.wiring.arrivals(CONV)) == [f"it gets the output of cell_4.cell_output.concat, not {layer}"]


def test_tensorflow_is_asked_for_what_the_layers_need(examine: Examine) -> None:
    """Their own values and those that feed them, and the images as they are given to both sides."""
    examiner = examine(sound, "conv0", ADD)
    graph: ReferenceGraph = examiner.graph
    assert examiner.official.keys() == {"images", "conv0", ADD, *graph.layers[ADD].inputs}
    np.testing.assert_array_equal(examiner.official["images"], examiner.probe.images.astype(np.float64))
    assert isinstance(examiner.probe.sides.candidate, Port)


def test_a_layer_that_does_not_run_each_time_differs_from_run_to_run(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stochastic depth that is left on, say: what it gets can then not be looked at."""
    examiner = examine(sound, CONV)
    for module in ("examiner", "wiring"):
        monkeypatch.setattr(f"parity.diagnosis.{module}.observe", lambda *_, **__: Observed({}, {}, {}, None))
    assert examiner.differs_from_run_to_run(CONV)
    assert list(examiner.wiring.arrivals(CONV)) == []
    assert examiner.wiring.miswired == set()
