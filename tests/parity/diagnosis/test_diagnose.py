"""The verdict on the real network beside TensorFlow: each kind of fault, where it lies, and what only follows it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from parity.candidate.parts import candidate_parts
from parity.candidate.port import make_model
from parity.core.layers import Network
from parity.core.policy import STRUCTURE
from parity.diagnosis.diagnose import diagnose
from parity.diagnosis.verdict import KINDS, Verdict
from parity.faults import plant
from parity.faults.bench import Bench
from parity.gates.structure import compare_parts
from pnasnet_torch import PNASNet

BN, ADD = "cell_2.comb_iter_2.right.bn_sep_3x3_1", "cell_6.comb_iter_4.combine.add"
BRANCH, POOL = "cell_5.comb_iter_1.left", "cell_3.comb_iter_0.right.max_pool"
Fault = Callable[[PNASNet], object]


def verdict_on(bench: Bench, fault: Fault, *hidden: str) -> Verdict:
    """With `hidden` layers not selected."""

    def planted(model: PNASNet) -> None:
        fault(model)

    verdict = bench.trial(planted, hidden).verdict
    assert verdict
    return verdict


def epsilon(model: PNASNet) -> None:
    plant.part(model, BN).eps = 1e-5


def branch_dropped(model: PNASNet) -> None:
    plant.replace(model, ADD, lambda left, _right: left)


def broken(*_: Any) -> Any:
    raise ValueError("planted")


def another_number_of_classes(model: PNASNet) -> None:
    layer = plant.part(model, "final_layer.FC")
    plant.part(model, "final_layer").FC = nn.Linear(layer.in_features, 1000, dtype=layer.weight.dtype)


def wrong_at_first() -> Fault:
    """The forwards that the four gates look at differ from all that follow."""
    forwards = iter([torch.neg] * 4)
    return lambda model: plant.after(model, POOL, lambda x: next(forwards, torch.clone)(x) if x.numel() else x)


def is_real(values: Tensor) -> bool:
    """Not those of the integer network, which has other weights than the checkpoint's."""
    return not torch.equal(values, values.round())


class Expected(NamedTuple):
    fault: Fault
    layer: str
    kind: str
    hint: str = ""


EXPECTED = {
    "operation": Expected(epsilon, BN, "operation", "it gives: epsilon 1e-05"),
    "a layer that raises": Expected(lambda model: plant.replace(model, POOL, broken), POOL, "operation"),
    "wiring": Expected(
        lambda model: plant.inputs(model, "cell_1", lambda net, prev: (prev, net)),
        "cell_1.relu_1",
        "wiring",
        "it gets the output of cell_stem_1.cell_output.concat, not cell_0.cell_output.concat",
    ),
    "in place": Expected(
        lambda model: setattr(plant.part(model, "cell_1.comb_iter_0.left.relu"), "inplace", True),
        "cell_1.comb_iter_0.right.max_pool",
        "wiring",
        "it gets cell_1.prev_bn as cell_1.comb_iter_0.left.relu changed it in place, not cell_1.prev_bn",
    ),
    "structure": Expected(
        another_number_of_classes,
        "final_layer.FC",
        "structure",
        "layer final_layer.FC: candidate (1000,) float32, official (1001,) float32",
    ),
    "missing": Expected(
        lambda model: plant.part(model, BRANCH)._modules.pop("relu"),
        f"{BRANCH}.relu",
        "missing",
        f"layer {BRANCH}.relu: candidate has none, official (4, 4, 108) float32",
    ),
    "extra": Expected(
        lambda model: plant.part(model, BRANCH).add_module("more", nn.Identity()),
        f"{BRANCH}.more",
        "extra",
        f"layer {BRANCH}.more: candidate (4, 4, 108) float32, official has none",
    ),
    "not reported": Expected(
        lambda model: plant.skip(model, f"{BRANCH}.relu", torch.relu),
        f"{BRANCH}.relu",
        "not reported",
        f"layer {BRANCH}.relu: candidate has none, official (4, 4, 108) float32",
    ),
    "error between layers": Expected(
        lambda model: plant.replace(model, "cell_3.comb_iter_0", broken),
        "cell_3.comb_iter_0.left.relu",
        "error",
        "the candidate fails with ValueError: planted",
    ),
    "a layer that runs twice": Expected(
        lambda model: plant.repeat(model, "cell_4.beginning_bn"),
        "cell_4.beginning_bn",
        "wiring",
        "it gets the output of cell_4.beginning_bn, not cell_4.1x1",
    ),
    "cannot be made": Expected(broken, "conv0", "error", "the candidate fails with ValueError: planted"),
    "unconfirmed": Expected(wrong_at_first(), POOL, "unconfirmed"),
    "accumulated": Expected(
        lambda model: plant.before(model, "cell_3.1x1", lambda x: x * (1 + 2e-10) if is_real(x) else x),
        "cell_3.1x1",
        "accumulated",
    ),
}


# Of kinds that others stand for: left to tests-all.
SECOND = ("a layer that raises", "in place", "extra", "not reported", "error between layers", "a layer that runs twice")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SECOND else []) for name in EXPECTED]
)
def test_a_fault_is_found_where_it_lies(bench: Bench, name: str) -> None:
    """The one culprit is the layer with the fault, of the right kind; the first hint says what it is."""
    fault, layer, kind, hint = EXPECTED[name]
    verdict = verdict_on(bench, fault)
    (culprit,) = verdict.culprits
    assert (culprit.layer, culprit.kind) == (layer, kind)
    assert "".join(culprit.hints[:1]) == hint
    assert culprit.gates
    assert culprit.unjudged == ()
    assert str(culprit)


# Told of layers that no module gives: those of tests/parity/candidate/test_styles.py.
OF_FUNCTIONS = ("in context", "passes in context")


def test_every_kind_of_fault_is_tried() -> None:
    """Those that depend on what was selected, or on the reference, have tests of their own."""
    tried = {expected.kind for expected in EXPECTED.values()}
    assert tried == KINDS.keys() - {"not replayed", "unjudged", "float32 alone", "within its bound", *OF_FUNCTIONS}


def test_a_sound_port_needs_no_verdict(bench: Bench) -> None:
    trial = bench.trial(lambda _model: None)
    assert trial.gates == []
    assert trial.verdict is None


def test_two_faults_in_series_are_both_named(bench: Bench) -> None:
    """In the network's order, though the second is behind the first."""

    def fault(model: PNASNet) -> None:
        branch_dropped(model)
        epsilon(model)

    first, second = verdict_on(bench, fault).culprits
    assert (first.layer, first.kind, first.hints) == (BN, "operation", ("it gives: epsilon 1e-05",))
    assert (second.layer, second.kind, second.hints) == (ADD, "operation", ("it gives: the right branch is missing",))
    assert not any(replay for culprit in (first, second) for replay in culprit.replays)
    assert {replay.gate for replay in first.replays} == {"float64", "float32"}


def behind(feeders: Mapping[str, tuple[str, ...]], layer: str) -> list[str]:
    """All layers that `layer` feeds, through others or not."""
    found = {layer}
    for name, inputs in feeders.items():
        if found & set(inputs):
            found.add(name)
    return [name for name in feeders if name in found - {layer}]


def test_all_that_fails_behind_a_source_is_told_apart(bench: Bench) -> None:
    """All layers that it feeds, and nothing else; none of them is shown as a fault."""
    verdict = verdict_on(bench, epsilon)
    assert list(verdict.downstream) == behind(bench.graph.feeders, BN)
    assert set(verdict.downstream.values()) == {(BN,)}


def test_layers_that_were_not_reached_are_behind_the_error(bench: Bench) -> None:
    """All that the port did not get to, whether the layer feeds it or not."""
    verdict = verdict_on(bench, lambda model: plant.replace(model, POOL, broken))
    order = list(bench.graph.layers)
    assert set(order[order.index(ADD) :]) <= verdict.downstream.keys()
    assert "conv0" not in verdict.downstream


def test_a_layer_that_was_not_selected_may_hide_the_fault(bench: Bench) -> None:
    """What follows it is the culprit then: it passes alone, and says which layers before it were not judged."""
    (culprit,) = verdict_on(bench, epsilon, BN).culprits
    assert bench.graph.feeders[culprit.layer] == (BN,)
    assert (culprit.kind, culprit.unjudged, culprit.hints) == ("unjudged", (BN,), ())
    assert all(culprit.replays)


def test_a_relu_in_place_passes_on_what_was_not_judged(bench: Bench) -> None:
    """The layer behind it gets what it should: the fault lies before."""
    relu, behind = "cell_2.comb_iter_2.right.relu_1", "cell_2.comb_iter_2.right.separable_3x3_2.depthwise"

    def fault(model: PNASNet) -> None:
        epsilon(model)
        plant.part(model, relu).inplace = True

    (culprit,) = verdict_on(bench, fault, BN, relu).culprits
    assert (culprit.layer, culprit.kind, culprit.unjudged, culprit.hints) == (behind, "unjudged", (relu,), ())


def test_a_module_that_serves_as_two_layers(bench: Bench) -> None:
    """The one is missing, and the other runs twice."""

    def one_relu(model: PNASNet) -> None:
        cell = plant.part(model, "cell_4")
        cell.relu_1 = cell.relu

    first, second = verdict_on(bench, one_relu).culprits
    assert (first.layer, first.kind) == ("cell_4.relu", "error")
    assert "cell_4.relu ran twice in one forward" in first.hints[0]
    assert (second.layer, second.kind) == ("cell_4.relu_1", "missing")


def test_a_fault_in_float32_alone_is_an_operations(bench: Bench) -> None:
    """Alone it passes in float64, and fails in float32."""

    def single_as_half(model: PNASNet) -> None:
        plant.after(model, POOL, lambda x: x if x.dtype == torch.float64 else x.half().float())

    (culprit,) = verdict_on(bench, single_as_half).culprits
    assert (culprit.layer, culprit.kind) == (POOL, "operation")
    assert [bool(replay) for replay in culprit.replays] == [True, False]


def test_of_many_sources_all_are_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """But only the first are looked at closely."""
    monkeypatch.setattr("parity.diagnosis.diagnose.EXAMINED", 1)

    def fault(model: PNASNet) -> None:
        epsilon(model)
        branch_dropped(model)
        plant.inputs(model, "cell_4", lambda net, prev: (net, net))

    first, second, third = verdict_on(bench, fault).culprits
    assert (first.kind, second.kind, third.kind) == ("operation", "wiring", "operation")
    assert first.replays
    assert first.hints
    assert (second.replays, second.hints, third.replays, third.hints) == ((), (), (), ())


def last_bit(parameter: str, layer: str) -> Fault:
    """The largest value of a parameter of the checkpoint moved by the last bit of a float32; integers stay."""

    def moved(values: Tensor) -> Tensor:
        if not is_real(values):
            return values
        flat = values.float().flatten()
        place = flat.abs().argmax()
        flat[place] = torch.nextafter(flat[place], torch.tensor(torch.inf))
        return flat.reshape(values.shape).to(values.dtype)

    return lambda model: plant.change(model, layer, parameter, moved)


ONE_BIT = [
    ("bias", "cell_7.comb_iter_1.left.bn_sep_7x7_2"),
    *(
        pytest.param(*row, marks=pytest.mark.slow)
        for row in (
            ("weight", "conv0"),
            ("running_mean", "cell_4.beginning_bn"),
            ("weight", "cell_stem_1.comb_iter_2.left.separable_5x5_1.depthwise"),
            ("weight", "cell_3.1x1"),
            ("weight", "cell_8.comb_iter_4.left.separable_3x3_2.pointwise"),
            ("running_mean", "conv0_bn"),
            ("bias", "cell_2.comb_iter_2.right.bn_sep_3x3_1"),
            ("bias", "final_layer.FC"),
        )
    ),
]


@pytest.mark.parametrize(("parameter", "layer"), ONE_BIT)
def test_the_last_bit_of_one_value_has_one_culprit(bench: Bench, parameter: str, layer: str) -> None:
    verdict = verdict_on(bench, last_bit(parameter, layer))
    (culprit,) = verdict.culprits
    assert (culprit.layer, culprit.kind, culprit.gates) == (layer, "operation", ("float64",))
    assert re.search(r": 1 of [\d,]+ values differ, such as \[[\d, ]+\]: -?[\d.]+, not -?[\d.]+$", culprit.hints[0])


def nudged(parameter: str, layer: str, share: float) -> Fault:
    """The largest value of a parameter of the checkpoint moved by this share of it, in float64 alone."""

    def moved(values: Tensor) -> Tensor:
        flat = values.clone().flatten()
        if values.dtype == torch.float64 and is_real(values):
            flat[flat.abs().argmax()] *= 1 + share
        return flat.reshape(values.shape)

    return lambda model: plant.change(model, layer, parameter, moved)


@pytest.mark.parametrize(
    ("parameter", "layer", "margin", "kind"),
    [
        ("running_mean", "cell_4.beginning_bn", 0.9, "within its bound"),
        pytest.param("weight", "cell_3.1x1", 1.1, "operation", marks=pytest.mark.slow),
        pytest.param("weight", "conv0", 0.5, "within its bound", marks=pytest.mark.slow),
        pytest.param("weight", "cell_3.1x1", 0.9, "within its bound", marks=pytest.mark.slow),
        pytest.param("weight", "conv0", 1.1, "operation", marks=pytest.mark.slow),
        pytest.param("bias", "cell_2.comb_iter_2.right.bn_sep_3x3_1", 0.9, "within its bound", marks=pytest.mark.slow),
        pytest.param("bias", "cell_2.comb_iter_2.right.bn_sep_3x3_1", 1.5, "operation", marks=pytest.mark.slow),
    ],
)
def test_near_its_bound_a_fault_has_one_culprit(
    bench: Bench, parameter: str, layer: str, margin: float, kind: str
) -> None:
    """Layers behind it pass and fail by turns, and it may pass itself: what fails is behind it all the same."""
    share = 1e-6
    measured = bench.trial(nudged(parameter, layer, share)).results["float64"][layer].margin
    trial = bench.trial(nudged(parameter, layer, share * margin / measured))
    failing = {name for name, result in trial.results["float64"].items() if not result}
    assert trial.results["float64"][layer].margin == pytest.approx(margin, rel=0.01)
    assert trial.verdict
    assert [(culprit.layer, culprit.kind) for culprit in trial.verdict.culprits] == [(layer, kind)]
    assert trial.verdict.downstream.keys() == failing - {layer}
    assert str(trial.verdict.culprits[0])


def structure_alone(bench: Bench, make: Callable[[Network, str], PNASNet]) -> Verdict:
    """The verdict where the structure gate alone ran, on all layers."""
    parts = candidate_parts(bench.network, make)
    results = compare_parts(bench.network, bench.graph, bench.graph.layers, parts)
    return diagnose(bench.network, bench.graph, {STRUCTURE: results}, parts, None)


def test_where_only_the_structure_was_judged_nothing_is_replayed(bench: Bench) -> None:
    """The difference is told all the same; an error of the port is not explained any further."""

    def other_classes(network: Network, dtype: str) -> PNASNet:
        another_number_of_classes(model := make_model(network, dtype))
        return model

    (culprit,) = structure_alone(bench, other_classes).culprits
    assert (culprit.layer, culprit.kind, culprit.replays) == ("final_layer.FC", "structure", ())
    (culprit,) = structure_alone(bench, broken).culprits
    assert (culprit.layer, culprit.kind, culprit.gates) == ("conv0", "not replayed", ("structure",))
