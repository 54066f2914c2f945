"""A session computes what was selected, once, and frees one network before the next."""

from collections.abc import Iterable
from typing import Any

import pytest

from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options
from parity.pair import Pair
from parity.policy import GATES
from parity.session import ParitySession, Selection
from tf_reference.graph import ReferenceGraph

SMALL, WIDE = Network("mobile", 64, 64), Network("mobile", 64, 96)
IMAGES = (PHOTOGRAPHS / "chelsea.jpg", PHOTOGRAPHS / "coffee.jpg")
LAYER_GATES = [gate for gate in GATES if gate not in ("preprocess", "imagenet")]
LAYERS = frozenset({"conv0", "cell_stem_0.1x1"})
Made = list[tuple[str, set[str], list[str]]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Every pair that a session makes: dtype, the layers that it goes up to, and what was done with it."""
    log: Made = []

    class Logged(Pair):
        def __init__(self, network: Network, graph: ReferenceGraph, layers: Iterable[str], threads: int) -> None:
            super().__init__(network, graph, layers, threads)
            self.done: list[str] = []
            log.append((graph.spec.dtype, set(self.reference.layers), self.done))

        def load(self, variables: Any) -> None:
            self.done.append("load")
            super().load(variables)

        def close(self) -> None:
            self.done.append("close")
            super().close()

    monkeypatch.setattr("parity.session.Pair", Logged)
    return log


def session_of(selection: Selection, images: tuple[Any, ...] = IMAGES[:1]) -> ParitySession:
    networks = tuple(dict.fromkeys(network for _, network in selection))
    return ParitySession(Options(networks, None, images, "official", 0, 2, ()), selection)


def test_all_gates_of_a_network_share_what_was_built(made: Made) -> None:
    """One pair in each dtype, given integers and then the checkpoint; float64 is freed when its last gate is done."""
    session = session_of({(gate, SMALL): LAYERS for gate in LAYER_GATES})
    assert all(session.result(gate, SMALL, layer) for gate in LAYER_GATES for layer in sorted(LAYERS))
    assert [dtype for dtype, _, _ in made] == ["float32", "float64"]
    assert [done for _, _, done in made] == [["load", "load"], ["load", "load", "close"]]
    session.close()
    assert [done[-1] for _, _, done in made] == ["close", "close"]


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
def test_a_gate_builds_no_more_than_it_needs(made: Made, gate: str, dtypes: list[str]) -> None:
    """Nothing in a dtype that it does not use, and no layer behind those that were selected."""
    session = session_of({(gate, SMALL): frozenset({"conv0"})})
    assert session.result(gate, SMALL, "conv0")
    assert [(dtype, layers) for dtype, layers, _ in made] == [(dtype, {"conv0"}) for dtype in dtypes]


def test_gates_that_share_a_pair_are_each_given_their_own_layers(made: Made) -> None:
    session = session_of({("exact-float64", SMALL): frozenset({"conv0"}), ("float64", SMALL): frozenset({"conv0_bn"})})
    assert session.result("exact-float64", SMALL, "conv0")
    assert session.result("float64", SMALL, "conv0_bn")
    assert [layers for _, layers, _ in made] == [{"conv0", "conv0_bn"}]
    with pytest.raises(KeyError):
        session.result("float64", SMALL, "conv0")


@pytest.mark.parametrize("gate", LAYER_GATES)
def test_a_layer_that_the_official_network_lacks_fails_alone(gate: str) -> None:
    """Where nothing else is selected, so that the official network has nothing to compute."""
    result = session_of({(gate, SMALL): frozenset({"cell_0.renamed"})}).result(gate, SMALL, "cell_0.renamed")
    assert not result
    assert "neither side has it" in result.problem or "official network has no such layer" in result.problem


def test_one_network_is_freed_before_the_next(made: Made) -> None:
    session = session_of({("exact-float32", network): LAYERS for network in (SMALL, WIDE)})
    assert session.result("exact-float32", SMALL, "conv0")
    assert made[0][2] == ["load"]
    assert session.result("exact-float32", WIDE, "conv0")
    assert [done for _, _, done in made] == [["load", "close"], ["load"]]
    assert session.result("exact-float32", SMALL, "cell_stem_0.1x1")
    assert len(made) == 2


def test_of_several_images_the_worst_result_counts() -> None:
    """In either order, and not the mean of both."""
    selection = {(gate, SMALL): LAYERS for gate in ("float64", "float32")}
    sessions = [session_of(selection, images) for images in (IMAGES[:1], IMAGES[1:], IMAGES, IMAGES[::-1])]
    for gate in ("float64", "float32"):
        for layer in LAYERS:
            one, other, both, reverse = (session.result(gate, SMALL, layer) for session in sessions)
            assert one.margin != other.margin
            assert both == reverse == max(one, other, key=lambda result: result.margin)
