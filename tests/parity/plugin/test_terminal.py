"""The table at a run's end: nothing is cut on any width, and colour only repeats what words say."""

import re
from collections.abc import Sequence

import pytest

from parity.core.result import Check, LayerResult, Tally
from parity.session.table import table

LONG = "cell_stem_1.comb_iter_0.left.separable_5x5_1.depthwise"
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def tally(gate: str, *margins: float, network: str = "mobile-224", seconds: float | None = 12.34) -> Tally:
    """Of layers with these margins, the last of them under the longest name."""
    names = [f"layer_{number}" for number in range(len(margins) - 1)] + [LONG]
    results = [
        LayerResult(gate, network, name, (Check("relative L2", margin, 1.0),))
        for name, margin in zip(names, margins, strict=True)
    ]
    return Tally.of(results, network, gate, seconds)


PASSING = [
    tally("preprocess", 0, 0, 0, 0, seconds=0.06),
    tally("exact-float32", *[0.0] * 1234),
    tally("float64", 1e-5, 2.5e-5),
    tally("float32", 0.5, 0.25, seconds=None),
]
FAILING = [*PASSING[:2], tally("float64", 0.5, 2e9), tally("float32", 0.5, float("nan"), float("inf"), seconds=None)]


def test_a_tally_has_the_counts_and_the_worst_result() -> None:
    """Not a number is worse than any number; of two that are as bad, the first in the network's order counts."""
    found = tally("float32", 0.5, float("nan"), 7.0, float("inf"))
    assert (found.compared, found.failed, found.worst.layer) == (4, 3, "layer_1")


def test_a_row_has_counts_time_and_the_worst_layer_with_its_margin() -> None:
    """Without a layer where all is exact, and without a time where the gate ran with another."""
    assert table(PASSING) == [
        "network     gate           compared  failed    time  worst margin  its layer",
        "-" * (67 + len(LONG)),
        "mobile-224  preprocess            4       0   0.1 s             0",
        "mobile-224  exact-float32     1,234       0  12.3 s             0",
        f"mobile-224  float64               2       0  12.3 s       2.5e-05  {LONG}",
        "mobile-224  float32               2       0                   0.5  layer_0",
    ]


def test_a_failing_row_is_marked_by_a_word() -> None:
    """A layer for which there is no number is beyond every limit."""
    _, _, *passing, one, other = table(FAILING)
    assert "FAILED" not in "".join(passing)
    assert re.fullmatch(rf"mobile-224  float64 +2  FAILED 1  12.3 s +2e\+09  {LONG}", one)
    assert re.fullmatch(r"mobile-224  float32 +3  FAILED 2 +inf  layer_1", other)


def test_where_nothing_was_computed_there_is_no_table() -> None:
    assert table([]) == []


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("tallies", [PASSING, FAILING])
def test_colour_adds_nothing_but_itself(tallies: Sequence[Tally], width: int) -> None:
    """Without it there is no escape code; with it, the words are the same, and what fails is red."""
    plain, coloured = table(tallies, width), table(tallies, width, colour=True)
    assert not any(ESCAPE.search(line) for line in plain)
    assert [ESCAPE.sub("", line).rstrip() for line in coloured] == plain
    assert any("\x1b[1;31m" in line for line in coloured) == (tallies is FAILING)


@pytest.mark.parametrize("setting", ["NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"])
def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """pytest has asked it already."""
    usual = table(FAILING, 140), table(FAILING, 140, colour=True)
    monkeypatch.setenv(setting, "1")
    assert (table(FAILING, 140), table(FAILING, 140, colour=True)) == usual


@pytest.mark.parametrize("tallies", [PASSING, FAILING])
def test_on_80_columns_each_layer_has_a_line_of_its_own(tallies: Sequence[Tally]) -> None:
    """Below its row: whole, so that it can be copied, and on 79 columns too."""
    wide, narrow = table(tallies), table(tallies, 79)
    assert max(map(len, narrow)) <= 79
    assert narrow[:2] == [wide[0].removesuffix("  its layer"), "    its layer"]
    rows = [line for line in narrow[3:] if not line.startswith(" ")]
    assert all(whole.startswith(row) for whole, row in zip(wide[2:], rows, strict=True))
    layers = [tally.worst.layer for tally in tallies if tally.worst.margin]
    assert [line.strip() for line in narrow[3:] if line.startswith(" ")] == layers
    assert narrow[-1] == f"    {tallies[-1].worst.layer}"


def test_a_terminal_that_is_just_wide_enough_has_one_line_for_each() -> None:
    width = max(map(len, table(FAILING)))
    assert table(FAILING, width) == table(FAILING)
    assert len(table(FAILING, width - 1)) > len(table(FAILING))


def test_a_name_is_no_markup() -> None:
    """An image may be called anything."""
    result = LayerResult("preprocess", "mobile-224", "[red] :cat: (1).jpg", (Check("bits", 3, 0),))
    assert table([Tally.of([result], "mobile-224", "preprocess", 1.0)])[-1].endswith("  inf  [red] :cat: (1).jpg")


def test_figures_stand_below_each_other() -> None:
    """Their last digits, below the last letter of the title."""
    head, _, *rows = table([*FAILING, tally("imagenet", 0.25, network="large-300x480", seconds=54321.0)])
    for title in ("compared", "failed", "time", "worst margin"):
        end = head.index(title) + len(title)
        assert {row[end : end + 2] for row in rows} <= {"  ", ""}, title
        assert sum(row[end - 1] == " " for row in rows) == (1 if title == "time" else 0), title
