"""What a run says at its end: the verdict first, then what pytest says of the culprits, then the counts."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from parity.core.result import Tally
from parity.diagnosis.verdict import DETAILED
from parity.plugin.cases import OPTIONS
from parity.plugin.running import PROPERTY, SESSION

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Layers have the longest names, so they stand last, or below their row.
*SHORT, LAYER = COLUMNS = ("network", "gate", "compared", "failed", "time", "worst margin", "its layer")
NUMBERS = SHORT[2:]
INDENT = "    "
# One of rich's boxes, row by row: a rule below the head, in ASCII, and no other line.
BOX = "\n".join(["    ", "    ", " -- ", *["    "] * 5])
# More than any table takes.
WIDE = 10_000


def status(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """What is unobservable, and failures that others explain, are counted apart, so that pytest lists none of them."""
    if not isinstance(report, pytest.TestReport) or report.passed:
        return None
    reason = str(dict(report.user_properties).get(PROPERTY, ""))
    return (reason, reason[0], reason.upper()) if reason else None


def write_verdict(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The verdict on each network that failed, and the commands for a closer look."""
    session = config.stash.get(SESSION, None)
    verdicts = session.verdicts if session else []
    if verdicts:
        reporter.write_sep("=", "verdict")
    for verdict in verdicts:
        reporter.write_line(verdict.head, bold=True)
        for culprit in verdict.culprits[:DETAILED]:
            scope = culprit.layer.rpartition(".")[0] or culprit.layer
            command = config.stash[OPTIONS].command("-k", f"{verdict.network} and {scope}")
            reporter.write_line(f"  {culprit}\n  a closer look: {command}".replace("\n", "\n  "))
        for culprit in verdict.culprits[DETAILED:]:
            reporter.write_line(f"  {culprit.line}")


def write_summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What each gate made of each network, as a table, and what else there is to say."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    width = config.get_terminal_writer().fullwidth if reporter.isatty else WIDE
    if lines := table(session.tallies(), width, reporter.hasmarkup):
        reporter.write_sep("=", "gates")
    for line in (*lines, *(f"parity: {line}" for line in config.stash[OPTIONS].shown), *session.said_at_end):
        reporter.write_line(line)


def table(tallies: Sequence[Tally], width: int = WIDE, colour: bool = False) -> list[str]:
    """The table in lines. Where it is wider than `width`, each layer has a line of its own below its row: no name is
    ever cut. Colour says nothing that the words do not."""
    if not tallies:
        return []
    from rich.text import Text

    console = _console(colour)
    whole = _grid(COLUMNS, tallies)
    if console.measure(whole).maximum <= width:
        return _lines(console, whole)
    head, rule, *rows = _lines(console, _grid(SHORT, tallies))
    lines = [head, *_lines(console, Text(INDENT + LAYER, "bold")), rule]
    for row, tally in zip(rows, tallies, strict=True):
        layer = _cells(tally)[LAYER]
        lines += [row, *(_lines(console, Text(INDENT + layer, _style(tally))) if layer else [])]
    return lines


def _cells(tally: Tally) -> dict[str, str]:
    margin = tally.worst.margin
    return {
        "network": tally.network,
        "gate": tally.gate,
        "compared": f"{tally.compared:,}",
        "failed": f"FAILED {tally.failed:,}" if tally.failed else "0",
        "time": "" if tally.seconds is None else f"{tally.seconds:,.1f} s",
        "worst margin": f"{margin:.3g}",
        LAYER: tally.worst.layer if margin else "",
    }


def _style(tally: Tally) -> str:
    return "bold red" if tally.failed else ""


def _grid(columns: Sequence[str], tallies: Sequence[Tally]) -> "Table":
    from rich.box import Box
    from rich.table import Table

    made = Table(box=Box(BOX, ascii=True), show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in NUMBERS else "left")
    for tally in tallies:
        cells = _cells(tally)
        made.add_row(*(cells[column] for column in columns), style=_style(tally))
    return made


def _console(colour: bool) -> "Console":
    """Prints as pytest decided, which knows the terminal and its options; rich is not to decide again."""
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=WIDE,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def _lines(console: "Console", what: "Table | Text") -> list[str]:
    with console.capture() as said:
        console.print(what)
    return [line.rstrip() for line in said.get().splitlines()]
