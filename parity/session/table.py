"""The table of what each gate made of each network, in lines."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from parity.core.result import Tally

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Layers have the longest names, so they stand last, or below their row.
SHORT = ("network", "gate", "compared", "failed", "time", "worst margin")
LAYER = "its layer"
COLUMNS = (*SHORT, LAYER)
NUMBERS = SHORT[2:]
INDENT = "    "
# One of rich's boxes, row by row: a rule below the head, in ASCII, and no other line.
NO_LINE = "    "
BOX = "\n".join([NO_LINE, NO_LINE, " -- ", NO_LINE, NO_LINE, NO_LINE, NO_LINE, NO_LINE])
# More than any table takes.
WIDE = 10_000


def table(tallies: Sequence[Tally], width: int = WIDE, colour: bool = False) -> list[str]:
    """Return the table of tallies in lines; none for no tallies.

    Where it is wider than `width`, each layer has a line of its own below its row: no name is ever cut. Colour says
    nothing that the words do not.
    """
    if not tallies:
        return []
    from rich.text import Text

    console = _console(colour)
    whole = _grid(COLUMNS, tallies)
    if console.measure(whole).maximum <= width:
        return _lines(console, whole)
    # One line for each: nothing is wider than the console, and so nothing is wrapped.
    head, rule, *rows = _lines(console, _grid(SHORT, tallies))
    layer_head = Text(INDENT + LAYER, "bold")
    lines = [head, *_lines(console, layer_head), rule]
    for row, tally in zip(rows, tallies, strict=True):
        lines.append(row)
        layer = _cells(tally)[LAYER]
        if layer:
            lines += _lines(console, Text(INDENT + layer, _style(tally)))
    return lines


def _cells(tally: Tally) -> dict[str, str]:
    """Return what a tally's row says, by column."""
    margin = tally.worst.margin
    return {
        "network": tally.network,
        "gate": tally.gate,
        "compared": f"{tally.compared:,}",
        "failed": f"FAILED {tally.failed:,}" if tally.failed else "0",
        "time": "" if tally.seconds is None else f"{tally.seconds:,.1f} s",
        "worst margin": f"{margin:.3g}",
        # Where all is exact, no layer is worse than the others.
        LAYER: tally.worst.layer if margin else "",
    }


def _style(tally: Tally) -> str:
    """Return the style in which rich shows a tally's row."""
    return "bold red" if tally.failed else ""


def _grid(columns: Sequence[str], tallies: Sequence[Tally]) -> "Table":
    """Return the table with these columns and a row for each tally."""
    from rich.box import Box
    from rich.table import Table

    grid = Table(box=Box(BOX, ascii=True), show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in NUMBERS else "left")
    for tally in tallies:
        cells = _cells(tally)
        grid.add_row(*(cells[column] for column in columns), style=_style(tally))
    return grid


def _console(colour: bool) -> "Console":
    """Return a console that prints as pytest decided, which knows the terminal and its options.

    rich is not to decide again: neither by the environment, nor by what a name looks like.
    """
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


def _lines(console: "Console", content: "Table | Text") -> list[str]:
    """Return what rich makes of the content, in lines without blanks at their ends."""
    with console.capture() as capture:
        console.print(content)
    return [line.rstrip() for line in capture.get().splitlines()]
