"""What a run says at its end: the verdict first, then what pytest says of the sources, then the counts."""

from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.cases import OPTIONS
from parity.diagnosis.verdict import DETAILED
from parity.layers import Network
from parity.plugin import PROPERTY, SESSION

if TYPE_CHECKING:
    from parity.values import Results

UNLIMITED = 500


def status(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Failures that others explain are counted apart, so that pytest neither prints nor lists them one by one."""
    if not isinstance(report, pytest.TestReport) or not report.failed:
        return None
    reason = str(dict(report.user_properties).get(PROPERTY, ""))
    return (reason, reason[0], reason.upper()) if reason else None


def write_verdict(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The verdict on each network that failed, and the commands for a closer look."""
    session = config.stash.get(SESSION, None)
    verdicts = session.verdicts if session else []
    if verdicts:
        reporter.section("verdict")
    for verdict in verdicts:
        reporter.write_line(verdict.head, bold=True)
        for source in verdict.sources[:DETAILED]:
            scope = source.layer.rpartition(".")[0] or source.layer
            command = config.stash[OPTIONS].command("parity", "-k", f"{verdict.network} and {scope}")
            reporter.write_line(f"  {source}\n  a closer look: {command}".replace("\n", "\n  "))
        for source in verdict.sources[DETAILED:]:
            reporter.write_line(f"  {source.line}")


def write_summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A row for each network and gate: counts, which layer came nearest to its limit, and the time."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    if any(by_gate.values() for by_gate in session.results.values()):
        reporter.write_line("")
        reporter.write(rendered(table(session.results, session.seconds), reporter.hasmarkup, width_of(reporter)))
    for line in session.said_at_end:
        reporter.write_line(line)


def table(results: Mapping[Network, Mapping[str, "Results"]], seconds: Mapping[tuple[Network, str], float]) -> Table:
    """The results of all gates that judged something. The seconds of two gates that run together stand at the first;
    a margin is how much of what is allowed the worst layer took, which passes up to 1."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("network", "gate"):
        made.add_column(title, no_wrap=True)
    for title in ("compared", "failed", "time", "margin"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("nearest to its limit", overflow="fold")
    for network, by_gate in results.items():
        for gate, rows in by_gate.items():
            if rows:
                failed = sum(not result for result in rows.values())
                worst = max(rows.values(), key=lambda result: result.margin)
                nearest = (f"{worst.margin:.3g}", worst.layer) if worst.margin else ("", "")
                took = f"{seconds[network, gate]:.1f} s" if (network, gate) in seconds else ""
                # Colour only underlines what the word says.
                style, word = ("bold red", "FAILED") if failed else ("", "ok")
                cells = (str(network), gate, f"{len(rows):,}", f"{failed:,} {word}", took, *nearest)
                made.add_row(*map(escape, cells), style=style)
    return made


def rendered(made: Table, colour: bool, width: int) -> str:
    """The table as text, with colour if asked for."""
    console = Console(file=StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False)
    with console.capture() as capture:
        console.print(made)
    return capture.get()


def width_of(reporter: pytest.TerminalReporter) -> int:
    """The terminal's, or, where the output goes to a file, as much as is needed."""
    return reporter._tw.fullwidth if reporter.isatty else UNLIMITED
