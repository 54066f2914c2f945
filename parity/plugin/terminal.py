"""What a run says at its end: the verdict first, then what pytest says of the culprits, then the counts."""

import pytest

from parity.diagnosis.verdict import DETAILED
from parity.plugin.cases import OPTIONS
from parity.plugin.running import PROPERTY, SESSION
from parity.session.table import WIDE, table


def status(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Return category, letter and word for what is unobservable, and for failures that others explain.

    They are counted apart, so that pytest lists none of them. All else, which pytest counts itself, gives None.
    """
    if not isinstance(report, pytest.TestReport) or report.passed:
        return None
    reason = str(dict(report.user_properties).get(PROPERTY, ""))
    if not reason:
        return None
    return reason, reason[0], reason.upper()


def write_verdict(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the verdict on each network that failed, and the commands for a closer look."""
    session = config.stash.get(SESSION, None)
    if session is None or not session.verdicts:
        return
    reporter.write_sep("=", "verdict")
    for verdict in session.verdicts:
        reporter.write_line(verdict.head, bold=True)
        for culprit in verdict.culprits[:DETAILED]:
            # A part of the culprit's name: `-k` then takes its neighbours as well.
            scope = culprit.layer.rpartition(".")[0] or culprit.layer
            command = config.stash[OPTIONS].command("-k", f"{verdict.network} and {scope}")
            reporter.write_line(f"  {culprit}\n  a closer look: {command}".replace("\n", "\n  "))
        for culprit in verdict.culprits[DETAILED:]:
            reporter.write_line(f"  {culprit.line}")


def write_summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write what each gate made of each network, as a table, and what else there is to say."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    width = WIDE  # what is no terminal, such as a file, takes rows of any length
    if reporter.isatty:
        width = config.get_terminal_writer().fullwidth
    lines = table(session.tallies(), width, reporter.hasmarkup)
    if lines:
        reporter.write_sep("=", "gates")
    lines += [f"parity: {line}" for line in config.stash[OPTIONS].shown]
    lines += session.said_at_end
    for line in lines:
        reporter.write_line(line)
