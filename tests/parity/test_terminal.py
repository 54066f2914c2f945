"""The table at a run's end: right on any width, with and without colour."""

import pytest

from parity.layers import Network
from parity.result import Check, LayerResult
from parity.terminal import UNLIMITED, rendered, table

NETWORK = Network("mobile", 224, 224)
LONG = "cell_stem_0.comb_iter_0.left.separable_5x5_1.depthwise"


def results(*margins: float) -> dict[str, LayerResult]:
    names = [LONG, "conv0", "[bold]x[/bold]"]
    return {
        name: LayerResult("float64", "mobile-224", name, (Check("relative L2", margin, 1.0),))
        for name, margin in zip(names, margins, strict=False)
    }


def shown(rows: dict[str, dict[str, LayerResult]], colour: bool = False, width: int = UNLIMITED) -> str:
    return rendered(table({NETWORK: rows}, {(NETWORK, "float64"): 12.34}), colour, width)


def test_counts_the_worst_layer_and_the_time_stand_in_a_row() -> None:
    head, row = shown({"float64": results(0.25, 0.5, 0.125)}).splitlines()
    assert " ".join(head.split()) == "network gate compared failed time margin nearest to its limit"
    assert row.split() == ["mobile-224", "float64", "3", "0", "ok", "12.3", "s", "0.5", "conv0"]


def test_a_failure_is_told_by_a_word() -> None:
    row = shown({"float64": results(3.0, 0.5, float("nan"))}).splitlines()[1]
    assert row.split()[2:5] == ["3", "2", "FAILED"]
    assert row.split()[-2:] == ["inf", "[bold]x[/bold]"]


def test_where_all_is_exact_no_layer_is_nearest() -> None:
    assert shown({"float64": results(0, 0)}).splitlines()[1].split()[-2:] == ["12.3", "s"]


def test_a_gate_without_results_has_no_row() -> None:
    assert len(shown({"float64": {}, "float32": results(0.1)}).splitlines()) == 2


@pytest.mark.parametrize("colour", [True, False])
def test_escape_codes_come_with_colour_alone(colour: bool) -> None:
    said = shown({"float64": results(3.0)}, colour)
    assert ("\x1b[" in said) == colour
    assert "FAILED" in said


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_folds_and_cuts_nothing(width: int) -> None:
    lines = shown({"float64": results(0.5)}, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert "".join(line[-LONG.__len__() :].split()[-1] for line in lines[1:]).endswith(LONG[-20:])
    assert "…" not in "".join(lines)


def test_where_there_is_room_it_stands_in_one_line() -> None:
    assert shown({"float64": results(0.5)}).splitlines()[1].endswith(LONG)
