"""From the layers that fail to the layers at fault, on graphs drawn by hand and at random."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.core.localize import Localization, handing_on, localize
from parity.core.result import Check, LayerResult

CHAIN = {"a": ["images"], "b": ["a"], "c": ["b"], "d": ["c"]}
# a feeds both sides, which meet in d; e follows.
DIAMOND = {"a": ["images"], "left": ["a"], "right": ["a"], "d": ["left", "right"], "e": ["d"]}


def found(
    feeders: dict[str, list[str]], failing: str, unjudged: str = "", at_fault: str = "", unreached: str = ""
) -> Localization:
    """Names are given with blanks between; what neither fails nor is unjudged passes."""
    bad = failing.split()
    passing = feeders.keys() - bad - set(unjudged.split())
    return localize(feeders, bad, passing, at_fault.split(), unreached.split())


def test_where_nothing_fails_there_is_no_source() -> None:
    assert found(CHAIN, "") == Localization((), {})
    assert localize({}, [], []) == Localization((), {})


@pytest.mark.parametrize("first", CHAIN)
def test_in_a_chain_the_first_failure_is_the_source(first: str) -> None:
    """All that fails behind it fails because of it."""
    failing = list(CHAIN)[list(CHAIN).index(first) :]
    assert found(CHAIN, " ".join(failing)) == Localization((first,), dict.fromkeys(failing[1:], (first,)))


def test_the_order_in_which_failures_are_given_does_not_matter() -> None:
    assert found(CHAIN, "d b c") == found(CHAIN, "b c d") == Localization(("b",), {"c": ("b",), "d": ("b",)})


def test_a_failure_behind_a_layer_that_passes_is_a_source_of_its_own() -> None:
    """Both are named, in the network's order, and what follows is behind the nearer one alone."""
    assert found(CHAIN, "a c d") == Localization(("a", "c"), {"d": ("c",)})


def test_two_sources_meet() -> None:
    """Both are independent of each other, and what they both feed is behind both."""
    assert found(DIAMOND, "left right d e") == Localization(
        ("left", "right"), {"d": ("left", "right"), "e": ("left", "right")}
    )


def test_one_side_of_a_diamond() -> None:
    assert found(DIAMOND, "right d") == Localization(("right",), {"d": ("right",)})


def test_a_source_before_a_diamond_is_named_once() -> None:
    assert found(DIAMOND, "a left right d") == Localization(("a",), dict.fromkeys(("left", "right", "d"), ("a",)))


def test_where_both_sides_pass_their_sum_is_the_source() -> None:
    assert found(DIAMOND, "d e") == Localization(("d",), {"e": ("d",)})


@pytest.mark.parametrize("feeder", ["images", "nobody"])
def test_an_input_never_fails(feeder: str) -> None:
    """A feeder that has no feeders of its own is none of the layers."""
    assert found({"a": [feeder]}, "a") == Localization(("a",), {})


def test_a_layer_that_was_not_judged_is_looked_through() -> None:
    """To the failure before it, or to one that passes."""
    assert found(CHAIN, "a d", unjudged="b c") == Localization(("a",), {"d": ("a",)})
    assert found(CHAIN, "d", unjudged="b c") == Localization(("d",), {})
    assert found(DIAMOND, "left e", unjudged="d right") == Localization(("left",), {"e": ("left",)})


def test_a_layer_that_passes_near_its_bound_hands_on_what_fails_before_it() -> None:
    """And nothing where nothing fails before it."""
    passing = {"b", "c"}
    near = localize(CHAIN, ["a", "d"], passing, handing_on=["b", "c"])
    assert near == Localization(("a",), {"d": ("a",)})
    assert localize(CHAIN, ["a", "d"], passing, handing_on=["b"]) == Localization(("a", "d"), {})
    assert localize(CHAIN, ["d"], {"a", *passing}, handing_on=["b", "c"]) == Localization(("d",), {})


def test_only_the_float64_gate_tells_who_hands_on() -> None:
    """By the float32 gate, sound layers come near to their bounds."""
    rows = {
        name: LayerResult("float64", "mobile-224", name, (Check("relative L2", measured, 1e-10),))
        for name, measured in (("sound", 1e-13), ("near", 9e-11), ("failing", 2e-10))
    }
    assert handing_on("float64", rows) == {"near"}
    assert handing_on("float32", rows) == set()


def test_a_layer_that_passes_is_not_looked_through() -> None:
    """Even one that lies behind layers that were not judged."""
    assert found(CHAIN, "a d", unjudged="b") == Localization(("a", "d"), {})


def test_a_fault_behind_a_source_is_a_source_too() -> None:
    """What follows is behind the nearer one."""
    assert found(CHAIN, "a b c d", at_fault="c") == Localization(("a", "c"), {"b": ("a",), "d": ("c",)})


def test_what_follows_two_faults_in_parallel_is_behind_both() -> None:
    assert found(DIAMOND, "a left right d", at_fault="left") == Localization(
        ("a", "left"), {"right": ("a",), "d": ("left", "a")}
    )


def test_a_layer_that_passes_or_was_not_judged_is_never_a_source() -> None:
    """Whatever is known of it: failures are explained, and nothing else."""
    assert found(CHAIN, "d", unjudged="a", at_fault="a b") == Localization(("d",), {})


def test_layers_that_were_not_reached_are_behind_the_error() -> None:
    """The port ended in b: c and d fail, whatever feeds them."""
    assert found(CHAIN, "b c d", unreached="c d") == Localization(("b",), {"c": ("b",), "d": ("b",)})
    ended = {"b": ["images"], "c": ["images"], "d": ["c"]}
    assert found(ended, "b c d", unreached="c d") == Localization(("b",), {"c": (), "d": ()})


def test_a_layer_that_was_not_reached_may_be_at_fault() -> None:
    assert found(CHAIN, "b d", at_fault="d", unreached="d") == Localization(("b", "d"), {})


def test_where_none_was_reached_the_first_is_the_source() -> None:
    assert found(CHAIN, "a b c d", unreached="a b c d") == Localization(("a",), dict.fromkeys("bcd", ()))


def test_a_layer_that_the_graph_lacks_is_a_source_only_if_there_is_no_other() -> None:
    """And then all of them are."""
    assert found(CHAIN, "b y x") == Localization(("b",), {"y": (), "x": ()})
    assert found(CHAIN, "y x") == Localization(("y", "x"), {})
    assert found(CHAIN, "c y", unreached="c") == Localization(("y",), {"c": ()})


def test_a_localization_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        found(CHAIN, "a").culprits = ()  # type: ignore[misc]


class Drawn(NamedTuple):
    """A random graph, and of each of its layers whether it fails, passes, or was not judged."""

    feeders: dict[str, list[str]]
    status: dict[str, str]

    def those(self, status: str) -> set[str]:
        return {name for name, own in self.status.items() if own == status}

    def nearest_judged(self, layer: str) -> set[str]:
        """The layers before it that were judged, with none that was judged between."""
        nearest: set[str] = set()
        for name in self.feeders[layer]:
            if self.status.get(name) == "unjudged":
                nearest |= self.nearest_judged(name)
            elif name in self.status:
                nearest.add(name)
        return nearest

    def upstream(self, layer: str) -> set[str]:
        """All layers before it."""
        names = set(self.feeders[layer]) & self.feeders.keys()
        return names.union(*map(self.upstream, names))


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    names: list[str] = ["images"]
    feeders: dict[str, list[str]] = {}
    for number in range(draw(st.integers(0, 8))):
        feeders[f"layer_{number}"] = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        names.append(f"layer_{number}")
    return Drawn(feeders, {name: draw(st.sampled_from(["fails", "passes", "unjudged"])) for name in feeders})


def some(names: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True) if names else st.just([])


@given(drawn(), st.data())
def test_every_failure_is_a_source_or_behind_one(graph: Drawn, data: st.DataObject) -> None:
    """Exactly one of the two; culprits come in the network's order, and each that is at fault is one."""
    failing = graph.those("fails")
    at_fault = data.draw(some([*graph.feeders]))
    result = localize(graph.feeders, failing, graph.those("passes"), at_fault)
    assert sorted([*result.culprits, *result.downstream]) == sorted(failing)
    assert list(result.culprits) == [name for name in graph.feeders if name in result.culprits]
    assert set(result.culprits) >= set(at_fault) & failing
    for layer, behind in result.downstream.items():
        assert behind
        assert len(set(behind)) == len(behind)
        assert set(behind) <= set(result.culprits) & graph.upstream(layer)


@given(drawn())
def test_a_source_is_what_fails_while_all_that_was_judged_before_it_passes(graph: Drawn) -> None:
    failing = graph.those("fails")
    plain = [name for name in graph.feeders if name in failing and not graph.nearest_judged(name) & failing]
    assert list(localize(graph.feeders, failing, graph.those("passes")).culprits) == plain
    assert bool(plain) == bool(failing)


@given(drawn(), st.data())
def test_where_the_port_ended_early_something_is_still_the_source(graph: Drawn, data: st.DataObject) -> None:
    """A layer that was not reached is one by itself only if all that fails was not reached."""
    failing = sorted(graph.those("fails"))
    unreached = data.draw(some(failing))
    result = localize(graph.feeders, failing, graph.those("passes"), (), unreached)
    assert sorted([*result.culprits, *result.downstream]) == failing
    assert bool(result.culprits) == bool(failing)
    if set(result.culprits) & set(unreached):
        assert len(result.culprits) == 1
