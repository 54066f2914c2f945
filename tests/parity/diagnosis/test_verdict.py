"""What a verdict says, in lines and as plain data."""

import json

import pytest

from parity.core.result import Check, LayerResult
from parity.diagnosis.verdict import KINDS, Culprit, Verdict

GOOD, NEAR, BAD = Check("relative L2", 1e-16, 1e-10), Check("largest", 5e-10, 1e-9), Check("largest", 3.0, 1e-9)


def replay(*checks: Check, gate: str = "float64", problem: str = "") -> LayerResult:
    return LayerResult(gate, "mobile-224", "cell_5.1x1", checks, problem)


def culprit(kind: str = "operation", **more: tuple[object, ...]) -> Culprit:
    return Culprit("cell_5.1x1", ("exact-float32", "float64"), kind, **more)  # type: ignore[arg-type]


def test_a_source_is_told_in_full() -> None:
    """The gates that it fails, what kind of fault that is, each replay with its worst check, and all hints."""
    replays = (replay(GOOD, BAD), replay(NEAR, gate="float32"))
    found = culprit(replays=replays, hints=("it gives: scaled by 2", "cell_5/1x1/weights: all zero"))
    assert str(found).splitlines() == [
        "cell_5.1x1: operation (fails exact-float32, float64)",
        f"  {KINDS['operation']}",
        "  replay in float64: fails: largest: measured 3, allowed 1e-09 (too far)",
        "  replay in float32: passes: largest: measured 5e-10, allowed 1e-09 (ok)",
        "  it gives: scaled by 2",
        "  cell_5/1x1/weights: all zero",
    ]


def test_of_a_replay_that_passes_the_check_nearest_to_its_limit_is_shown() -> None:
    assert "passes: largest: measured" in str(culprit("wiring", replays=(replay(GOOD, NEAR),)))


def test_a_replay_that_could_not_be_judged_says_why() -> None:
    found = culprit(replays=(replay(problem="it raises ValueError: planted"),))
    assert str(found).splitlines()[2:] == ["  replay in float64: fails: it raises ValueError: planted"]


def test_layers_before_it_that_were_not_judged_are_named_last() -> None:
    found = culprit("unjudged", hints=("a hint",), unjudged=("cell_5.relu", "cell_5.relu_1"))
    last = "  not judged in this run, though it feeds it: cell_5.relu, cell_5.relu_1"
    assert str(found).splitlines()[2:] == ["  a hint", last]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained(kind: str) -> None:
    """In one line, and without a hint if there is none."""
    assert str(culprit(kind)).splitlines() == [f"cell_5.1x1: {kind} (fails exact-float32, float64)", f"  {KINDS[kind]}"]
    assert culprit(kind).line == f"cell_5.1x1: {kind}"


def test_a_line_has_the_first_hint_alone() -> None:
    assert culprit("wiring", hints=("it gets x, not y", "more")).line == "cell_5.1x1: wiring: it gets x, not y"


@pytest.mark.parametrize(
    ("culprits", "behind", "head"),
    [
        (1, 0, "mobile-224: 1 culprit, 0 layers downstream"),
        (2, 1234, "mobile-224: 2 culprits, 1,234 layers downstream"),
    ],
)
def test_the_head_counts(culprits: int, behind: int, head: str) -> None:
    downstream = {f"layer_{number}": ("cell_5.1x1",) for number in range(behind)}
    assert Verdict("mobile-224", (culprit(),) * culprits, downstream).head == head


def test_a_verdict_is_plain_data() -> None:
    """What as_dict gives comes back from JSON as it was, with every culprit, replay and layer downstream."""
    found = culprit(replays=(replay(GOOD, BAD),), hints=("a hint",), unjudged=("cell_5.relu",))
    data = json.loads(json.dumps(Verdict("mobile-224", (found,), {"cell_6.relu": ("cell_5.1x1",)}).as_dict()))
    assert data["network"] == "mobile-224"
    assert data["downstream"] == {"cell_6.relu": ["cell_5.1x1"]}
    (row,) = data["culprits"]
    assert (row["layer"], row["kind"], row["hints"], row["unjudged"]) == (
        "cell_5.1x1",
        "operation",
        ["a hint"],
        ["cell_5.relu"],
    )
    assert row["gates"] == ["exact-float32", "float64"]
    assert [check["measured"] for check in row["replays"][0]["checks"]] == [1e-16, 3.0]
