"""What a run comes to: parity only where all was compared, passed, and pytest ended well."""

from dataclasses import replace

import pytest

from parity.report.judgement import Count, Run, judgement


def count(whole: int = 10, selected: int = 10, judged: int = 10, failed: int = 0) -> Count:
    return Count("mobile-224", "float64", whole, selected, judged, failed)


def test_parity(run: Run) -> None:
    found = judgement(run, [count(), count()])
    assert (found["kind"], found["words"], found["limits"]) == ("parity", "Parity: 20 comparisons, none fails", [])


@pytest.mark.parametrize(
    ("changes", "counts", "kind"),
    [
        pytest.param({}, count(failed=1), "no parity", id="a failure"),
        pytest.param({"stopped": "interrupted", "exit": 2}, count(judged=4, failed=1), "no parity", id="and stopped"),
        pytest.param({"stopped": "interrupted", "exit": 2}, count(), "unfinished", id="stopped"),
        pytest.param({}, count(judged=9), "unfinished", id="not all made"),
        pytest.param({"exit": 1}, count(), "error", id="pytest failed"),
        pytest.param({}, count(selected=5, judged=5), "partial", id="a part selected"),
        pytest.param({}, count(selected=0, judged=0), "partial", id="nothing selected"),
    ],
)
def test_everything_else_is_less(run: Run, changes: dict[str, object], counts: Count, kind: str) -> None:
    """However well what was compared went."""
    found = judgement(replace(run, **changes), [counts, count()])  # type: ignore[arg-type]
    assert found["kind"] == kind


def test_it_says_in_what_it_is_partial(run: Run) -> None:
    stopped = replace(run, stopped="it was interrupted", exit=2, selection="-k cell_5")
    assert judgement(stopped, [count(selected=8, judged=3)])["limits"] == [
        "The run was stopped: it was interrupted",
        "5 of 8 selected comparisons were not made",
        "Only a part was selected (-k cell_5): 8 of 10 comparisons",
    ]
