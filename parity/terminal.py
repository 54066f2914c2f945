"""What a run says at its end: the verdict first, then what pytest says of the sources, then the counts."""

import pytest

from parity.diagnosis.verdict import DETAILED
from parity.plugin import OPTIONS, PROPERTY, SESSION


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


def summary(config: pytest.Config) -> list[str]:
    """For each gate and network: how many were judged, how many failed, and which came nearest to its limit."""
    session = config.stash.get(SESSION, None)
    return session.summary() if session else []
