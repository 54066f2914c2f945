"""A session computes what was selected, once, and frees one network before the next."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.core.layers import Network
from parity.core.policy import GATES, TRAINING_GATES
from parity.core.specification import PHOTOGRAPHS
from parity.core.training_names import names
from parity.faults.remembered import RememberedReference
from parity.reference.graphs import graphs_of
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession, Selection
from tests.waiting import wait_until
from tf_reference.graph import GraphSpec, ReferenceGraph
from tf_reference.graph_cache import GraphKind
from tf_reference.official import Source
from tf_reference.run import OfficialRun

SMALL, WIDE = Network("mobile", 64, 64), Network("mobile", 97, 131)
# The least that has room for an auxiliary head.
TRAINED = Network("mobile", 97, 97)
IMAGES = (PHOTOGRAPHS / "chelsea.jpg", PHOTOGRAPHS / "coffee.jpg")
LAYER_GATES = [gate for gate in GATES if gate not in ("preprocess", "imagenet")]
LAYERS = frozenset({"conv0", "cell_stem_0.1x1"})
Made = list[tuple[str, set[str], list[str]]]
Taken = list[tuple[GraphKind, GraphSpec]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The official networks that a session opens: dtype, the layers that it goes up to, and what was done with it."""
    log: Made = []

    class Logged(OfficialRun):
        def __init__(self, graph: ReferenceGraph, layers: Iterable[str], threads: int) -> None:
            super().__init__(graph, layers, threads)
            self.done: list[str] = []
            log.append((graph.spec.dtype, set(self.layers), self.done))

        def assign(self, values: Any) -> None:  # the integers', too
            self.done.append("assign")
            super().assign(values)

        def close(self) -> None:
            self.done.append("close")
            super().close()

    monkeypatch.setattr("parity.reference.live.OfficialRun", Logged)
    return log


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """The graphs that are asked for."""
    found: Taken = []
    get = GraphKind.get

    def note(kind: GraphKind, source: Source, spec: GraphSpec) -> Any:
        found.append((kind, spec))
        return get(kind, source, spec)

    monkeypatch.setattr(GraphKind, "get", note)
    return found


# The batch norm, and what lies before and behind it.
STEM = ("conv0", "conv0_bn", "cell_stem_0.relu", "cell_stem_0.1x1")


@pytest.fixture(scope="module")
def remembered() -> Iterator[RememberedReference]:
    """Give the small network's official values, which are computed once for all sessions."""
    made = RememberedReference(options_of((SMALL,), IMAGES[:1]))
    yield made
    made.release()


def options_of(networks: tuple[Network, ...], images: tuple[Path, ...], threads: int = 1) -> Options:
    return Options(networks, None, images, ("official",), 0, threads)


def session_of(
    selection: Selection,
    reference: RememberedReference | None = None,
    images: tuple[Path, ...] = IMAGES[:1],
    threads: int = 1,
) -> ParitySession:
    """A session on the official network as it runs, or as the `reference` remembers it."""
    options = options_of(tuple(dict.fromkeys(network for _, network in selection)), images, threads)
    return ParitySession(options, selection, reference or LiveReference(options))


def test_all_gates_are_given_the_same_networks_which_are_freed_behind_the_last(made: Made) -> None:
    session = session_of({(gate, SMALL): LAYERS for gate in LAYER_GATES})
    assert all(session.result(gate, SMALL, layer) for gate in LAYER_GATES for layer in sorted(LAYERS))
    assert [dtype for dtype, _, _ in made] == ["float32", "float64"]
    assert all(done == ["assign", "assign", "close"] for _, _, done in made)
    session.close()


@pytest.mark.parametrize(
    ("gate", "dtypes"),
    [
        ("structure", []),
        ("exact-float32", ["float32"]),
        ("exact-float64", ["float64"]),
        ("float64", ["float64"]),
        ("float32", ["float64", "float32"]),
    ],
)
def test_a_gate_builds_no_more_than_it_needs(made: Made, taken: Taken, gate: str, dtypes: list[str]) -> None:
    """Nothing in a dtype that it does not use, and no layer behind those that were selected."""
    selection = {(gate, SMALL): frozenset({"conv0"})}
    session = session_of(selection)
    assert session.result(gate, SMALL, "conv0")
    assert [(dtype, layers) for dtype, layers, _ in made] == [(dtype, {"conv0"}) for dtype in dtypes]
    # What was built before the first gate is what the gates take.
    assert {(kind, spec) for kind, _, spec in graphs_of(selection)} == set(taken)


@pytest.mark.slow
@pytest.mark.parametrize("gate", TRAINING_GATES)
def test_the_graphs_that_a_training_gate_takes_are_known(gate: str, taken: Taken) -> None:
    name = names(gate, TRAINED)[0]
    selection = {(gate, TRAINED): frozenset({name})}
    options = Options((TRAINED,), None, IMAGES, ("official",), 0, 1, training=True)
    session = ParitySession(options, selection, LiveReference(options))
    assert session.result(gate, TRAINED, name)
    session.close()
    assert {(kind, spec) for kind, _, spec in graphs_of(selection)} == set(taken)


def test_gates_that_share_their_work_are_each_given_their_own_layers(made: Made) -> None:
    """The float32 gate is measured from the float64 values, of its own layers."""
    session = session_of({("float64", SMALL): frozenset({"conv0"}), ("float32", SMALL): frozenset({"conv0_bn"})})
    assert session.result("float64", SMALL, "conv0")
    assert session.result("float32", SMALL, "conv0_bn")
    assert [layers for _, layers, _ in made] == [{"conv0", "conv0_bn"}, {"conv0_bn"}]
    for gate, layer in (("float64", "conv0_bn"), ("float32", "conv0")):
        with pytest.raises(KeyError):
            session.result(gate, SMALL, layer)


def test_values_that_are_too_many_are_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same results as where they are kept."""
    selection = {("float64", SMALL): frozenset({"conv0", "conv0_bn"}), ("float32", SMALL): frozenset(STEM)}
    kept = session_of(selection)
    kept.result("float32", SMALL, "conv0")
    monkeypatch.setattr("parity.gates.values.KEPT", 0)
    again = session_of(selection)
    again.result("float32", SMALL, "conv0")
    assert kept.results == again.results


@pytest.mark.parametrize("gate", LAYER_GATES)
def test_a_layer_that_the_official_network_lacks_fails_alone(gate: str, remembered: RememberedReference) -> None:
    """Where nothing else is selected, so that the official network has nothing to compute."""
    result = session_of({(gate, SMALL): frozenset({"cell_0.renamed"})}, remembered).result(
        gate, SMALL, "cell_0.renamed"
    )
    assert not result
    assert "neither side has it" in result.problem or "official network has no such layer" in result.problem


def test_one_network_is_freed_before_the_next(made: Made) -> None:
    session = session_of({("exact-float32", network): LAYERS for network in (SMALL, WIDE)})
    assert session.result("exact-float32", SMALL, "conv0")
    assert made[0][2] == ["assign", "close"]
    assert session.result("exact-float32", WIDE, "conv0")
    assert [done for _, _, done in made] == [["assign", "close"], ["assign", "close"]]
    assert session.result("exact-float32", SMALL, "cell_stem_0.1x1")
    assert len(made) == 2


def test_of_several_images_the_worst_result_counts() -> None:
    """In either order, and not the mean of both."""
    selection = {(gate, SMALL): LAYERS for gate in ("float64", "float32")}
    sessions = [session_of(selection, images=images) for images in (IMAGES[:1], IMAGES[1:], IMAGES, IMAGES[::-1])]
    for gate in ("float64", "float32"):
        for layer in LAYERS:
            one, other, both, reverse = (session.result(gate, SMALL, layer) for session in sessions)
            assert one.margin != other.margin
            assert both == reverse == max(one, other, key=lambda result: result.margin)


def test_nothing_is_begun_ahead_where_memory_is_short(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.session.options.memory", lambda: 2e9)
    session = session_of({("exact-float32", network): LAYERS for network in (SMALL, WIDE)}, threads=2)
    assert session.result("exact-float32", SMALL, "conv0")
    assert len(made) == 1
    session.close()


def test_the_next_network_is_begun_while_one_is_judged(made: Made) -> None:
    """And nothing of it where there is one thread."""
    for threads, begun in ((1, 1), (2, 2)):
        made.clear()
        session = session_of({("exact-float32", network): LAYERS for network in (SMALL, WIDE)}, threads=threads)
        assert session.result("exact-float32", SMALL, "conv0")
        if threads > 1:
            wait_until(lambda: len(made) == 2 and "assign" in made[1][2])
        assert len(made) == begun
        session.close()
        assert all(done[-1] == "close" for _, _, done in made)


@pytest.mark.usefixtures("other_epsilon")
def test_any_number_of_threads_gives_the_same_results() -> None:
    """To the last bit, of a candidate that fails too: its verdict as well."""
    selection = {(gate, SMALL): frozenset(STEM) for gate in LAYER_GATES}
    outcomes = []
    for threads in (1, 2):
        session = session_of(selection, images=IMAGES, threads=threads)
        for gate, network in selection:
            session.result(gate, network, "conv0")
        session.close()
        outcomes.append((session.results, session.verdicts))
    assert len(outcomes[0][1]) == 1
    assert outcomes[0] == outcomes[1]


def judged(remembered: RememberedReference, gates: Iterable[str], names: Iterable[str] = STEM) -> ParitySession:
    """A session that was asked for all of them."""
    session = session_of({(gate, SMALL): frozenset(names) for gate in gates}, remembered)
    for gate in gates:
        session.result(gate, SMALL, next(iter(names)))
    return session


def test_a_sound_network_gets_no_verdict(remembered: RememberedReference) -> None:
    session = judged(remembered, LAYER_GATES)
    session.close()
    assert session.verdicts == []


@pytest.mark.usefixtures("other_epsilon")
def test_a_failure_is_explained_by_what_lies_before_it(remembered: RememberedReference) -> None:
    """The culprit is not; behind it is what it feeds, and by a weaker gate it is a repetition."""
    session = judged(remembered, LAYER_GATES)
    rows = {layer: [session.explained(gate, SMALL, layer) for gate in LAYER_GATES[1:]] for layer in STEM[1:]}
    repeated = ("repeated", "as it failed exact-float32")
    assert rows["conv0_bn"] == [("", ""), repeated, repeated, repeated]
    assert rows["cell_stem_0.1x1"] == rows["cell_stem_0.relu"] == [("downstream", "behind conv0_bn")] * 4


@pytest.mark.usefixtures("other_epsilon")
def test_what_is_not_about_a_layer_is_not_explained(remembered: RememberedReference) -> None:
    """An image in the preprocess gate; a block in the structure gate fails by itself."""
    session = judged(remembered, ["float64"])
    assert session.explained("preprocess", SMALL, "chelsea.jpg") == ("", "")
    assert session.explained("imagenet", SMALL, "validation") == ("", "")
    assert not session.verdicts


@pytest.mark.usefixtures("other_epsilon")
@pytest.mark.parametrize("gate", ["float64", "exact-float64", "exact-float32", "float32"])
def test_each_gate_that_compares_values_gives_a_verdict(gate: str, remembered: RememberedReference) -> None:
    """By the layers that it judged; replayed in float32 too where real weights are at hand."""
    session = judged(remembered, [gate])
    session.close()
    (verdict,) = session.verdicts
    (culprit,) = verdict.culprits
    assert (verdict.network, culprit.layer, culprit.kind, culprit.gates) == (
        "mobile-64",
        "conv0_bn",
        "operation",
        (gate,),
    )
    assert verdict.downstream == dict.fromkeys(STEM[2:], ("conv0_bn",))
    exact = gate.startswith("exact")
    assert [replay.gate for replay in culprit.replays] == ([gate] if exact else ["float64", "float32"])
    assert any("epsilon 1e-05" in hint for hint in culprit.hints)


@pytest.mark.usefixtures("other_epsilon")
def test_each_network_that_fails_gets_its_verdict() -> None:
    """When the next one's turn comes, or at the end; closing twice gives none twice."""
    selection = {("float64", network): frozenset(STEM) for network in (SMALL, WIDE)}
    session = session_of(selection)
    session.result("float64", SMALL, "conv0")
    session.result("float64", WIDE, "conv0")
    assert [verdict.network for verdict in session.verdicts] == ["mobile-64"]
    session.close()
    session.close()
    assert [verdict.network for verdict in session.verdicts] == ["mobile-64", "mobile-97x131"]


@pytest.mark.usefixtures("other_epsilon")
def test_where_the_source_was_not_selected_the_verdict_says_so(remembered: RememberedReference) -> None:
    session = judged(remembered, ["float64"], STEM[2:])
    session.close()
    (culprit,) = session.verdicts[0].culprits
    assert (culprit.layer, culprit.kind, culprit.unjudged) == ("cell_stem_0.relu", "unjudged", ("conv0_bn",))
