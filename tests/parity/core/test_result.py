"""Results judge and render themselves."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from parity.core import compare, metrics
from parity.core.result import Check, Element, LayerResult

NAN, INF = float("nan"), float("inf")
GOOD, BAD = Check("relative L2", 0.5, 1.0), Check("largest difference", 3.0, 1.5)


def result(*checks: Check, problem: str = "", element: Element | None = None) -> LayerResult:
    return LayerResult("float64", "mobile-224", "cell_5.1x1", checks, problem, element, ("a note",))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param(result(), False, id="without checks"),
        pytest.param(result(problem="missing"), False, id="with a problem alone"),
        pytest.param(result(GOOD), True, id="with a good check"),
        pytest.param(result(GOOD, BAD), False, id="with a bad check last"),
        pytest.param(result(BAD, GOOD), False, id="with a bad check first"),
        pytest.param(result(GOOD, problem="missing"), False, id="with a good check and a problem"),
    ],
)
def test_a_result_passes_by_its_checks(found: LayerResult, verdict: bool) -> None:
    """It takes at least one check, all of them good, and no problem; the word and the figure say the same."""
    assert bool(found) is verdict
    assert found.as_dict()["passed"] is verdict
    assert (" passes " if verdict else " fails ") in str(found)
    assert (found.margin <= 1) is verdict


@pytest.mark.parametrize(
    ("measured", "allowed", "passes", "margin"),
    [
        (0.5, 1.0, True, 0.5),
        (1.0, 1.0, True, 1.0),
        (3.0, 1.5, False, 2.0),
        (0, 0, True, 0.0),
        (1, 0, False, INF),
        (INF, 1.0, False, INF),
        (NAN, 1.0, False, INF),
        (NAN, 0, False, INF),
        (NAN, INF, False, INF),
    ],
)
def test_a_check_passes_up_to_what_is_allowed(measured: float, allowed: float, passes: bool, margin: float) -> None:
    """Its margin is the share of what is allowed; not a number is worse than any number."""
    check = Check("relative L2", measured, allowed)
    assert bool(check) is passes
    assert check.margin == margin
    assert ("ok" if passes else "too far") in str(check)


@pytest.mark.parametrize("measured", [0.0, 1.0, INF, NAN], ids=str)
def test_where_the_allowance_is_not_a_number_nothing_passes(measured: float) -> None:
    """Such a limit is worth nothing, so the layer is the first to be shown."""
    assert not Check("relative L2", measured, NAN)
    assert not Check("relative L2", measured, NAN).margin <= 1


def test_the_margin_is_that_of_the_worst_check() -> None:
    assert result(GOOD, BAD).margin == 2.0
    assert result(BAD, GOOD).margin == 2.0


@pytest.mark.parametrize("found", [result(), result(GOOD, problem="missing")], ids=["no check", "a problem"])
def test_what_cannot_be_checked_has_the_worst_margin(found: LayerResult) -> None:
    assert found.margin == INF


def test_a_failure_is_told_in_full() -> None:
    """Layer, gate, network, measured, allowed, note, and the worst element with index, both values and counts."""
    element = Element((0, 12, 7, 113), 0.25, -1.5, 1234, 56789)
    text = str(result(GOOD, BAD, element=element))
    assert text.splitlines() == [
        "cell_5.1x1 fails the float64 gate (mobile-224)",
        "  relative L2: measured 0.5, allowed 1 (ok)",
        "  largest difference: measured 3, allowed 1.5 (too far)",
        "  a note",
        "  worst element [0, 12, 7, 113]: candidate 0.25, expected -1.5; 1,234 of 56,789 elements exceed",
    ]


def test_a_problem_is_told_first() -> None:
    assert str(result(problem="the candidate has (1, 2)")).splitlines()[1] == "  the candidate has (1, 2)"


def test_an_element_shows_its_values_to_the_last_bit() -> None:
    """One unit in the last place can be seen."""
    assert "1.0000000000000002, expected 1.0;" in str(Element((0, 1), float(np.nextafter(1, 2)), 1.0, 1, 2))


def judged() -> list[LayerResult]:
    """Results as each gate makes them, passing and failing."""
    truth = np.random.default_rng(0).normal(size=(1, 4, 4, 3))
    single = truth.astype(np.float32)
    official = metrics.distance(single, truth)
    return [
        *(compare.float64("mobile-224", "conv0", truth + off, truth) for off in (0, 1)),
        *(compare.float32("mobile-224", "conv0", single + np.float32(off), truth, official, np.inf) for off in (0, 1)),
        *(compare.exact("mobile-224", "conv0", single + np.float32(off), single) for off in (0, 1)),
    ]


def test_every_result_is_plain_data() -> None:
    """What as_dict gives comes back from JSON as it was: no scalar is NumPy's."""
    for found in judged():
        data = json.loads(json.dumps(found.as_dict()))
        checks = [{"name": c.name, "measured": c.measured, "allowed": c.allowed} for c in found.checks]
        assert data["checks"] == checks
        assert (data["layer"], data["passed"]) == ("conv0", bool(found))
        assert {type(c.measured) for c in found.checks} | {type(c.allowed) for c in found.checks} <= {int, float}
        assert (data["element"] is None) == bool(found)
    assert [bool(found) for found in judged()] == [True, False] * 3


@pytest.mark.parametrize("name", ["checks", "problem", "layer"])
def test_a_result_is_frozen(name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(result(BAD), name, (GOOD,))
