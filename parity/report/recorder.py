"""A run's recorder: it collects while the run lasts, and writes the report when the run ends, however it ends."""

import shlex
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from parity.core.errors import InputError
from parity.report.collect import Collector
from parity.report.document import Key, document
from parity.report.evaluation import evaluation
from parity.report.faults import faults
from parity.report.judgement import Run
from parity.report.outcome import outcome_of
from parity.report.provenance import provenance
from parity.report.render import HTML, write

if TYPE_CHECKING:
    from parity.core.layers import Case
    from parity.imagenet.evaluator import Evaluator
    from parity.session.options import Options
    from parity.session.session import ParitySession


class Recorder:
    """The recorder of one run with `options`, whose report goes into `folder`.

    `collector` observes the layers that are judged. `lines` tell at the end of the run where its report is, or why
    there is none.
    """

    def __init__(self, options: "Options", folder: Path) -> None:
        self.collector = Collector()
        self.lines: list[str] = []
        self._session: ParitySession | None = None
        self._evaluator: Evaluator | None = None
        self._options = options
        self._folder = folder
        self._started = datetime.now(UTC)
        # Beside the time of day, which may be set while the run lasts.
        self._clock = perf_counter()

    def begin(self, session: "ParitySession", evaluator: "Evaluator | None") -> None:
        """Take what is to be recorded: the session that is observed, and the evaluation, if there is one."""
        self._session = session
        self._evaluator = evaluator
        self.collector.layers = session.layers

    def write(self, cases: "list[tuple[Case, str]]", run: pytest.Session, code: int) -> bool:
        """Write report.json and report.html, and return whether that went well.

        `cases` are the selected ones, each with its test's id, and `code` is pytest's exit code.
        """
        if self._session is None:
            self.lines = ["parity: no report, since nothing was compared"]
            return True
        try:
            write(self._document(self._session, cases, self._run(run, code)), self._folder)
        except InputError as error:
            self.lines = [f"parity: the report could not be written: {error}"]
            return False
        self.lines = [f"parity: report: {self._folder / HTML}"]
        return True

    def _run(self, run: pytest.Session, code: int) -> Run:
        """Return how the run went, until now."""
        config = run.config
        selection = []
        for name, expression in (("-k", config.option.keyword), ("-m", config.option.markexpr)):
            if expression:
                selection.append(shlex.join([name, expression]))
        return Run(
            command=command_of(config),
            arguments=shlex.join(self._options.arguments),
            selection=" ".join(selection),
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(perf_counter() - self._clock, 1),
            exit=code,
            tests=len(run.items),
            stopped=_stopped(run, code),
        )

    def _document(self, session: "ParitySession", cases: "list[tuple[Case, str]]", run: Run) -> dict[str, Any]:
        """Return the document of the run: its outcome, its provenance, and the sections of evaluation and faults."""
        nodes: defaultdict[Key, dict[str, str]] = defaultdict(dict)
        for case, node in cases:
            nodes[case.gate, case.network][case.name] = node
        outcome = outcome_of(session, self._options, run, nodes, self.collector.observations)
        imagenet = evaluation(self._evaluator) if self._evaluator else None
        # The table of faults tells what the gates of evaluation catch, and nothing of those of training.
        measured = None if self._options.training else faults()
        return document(outcome, provenance(self._options, session), imagenet=imagenet, faults=measured)


def command_of(config: pytest.Config) -> str:
    """Return the command of a run, without --force: that changes neither what is judged nor what is written."""
    arguments = [str(argument) for argument in config.invocation_params.args]
    kept = [argument for argument in arguments if argument not in ("--force", "--parity-force")]
    return shlex.join(["pytest", *kept])


def _stopped(run: pytest.Session, code: int) -> str:
    """Return why the run ended before its end; an empty text if it did not."""
    if code == pytest.ExitCode.INTERRUPTED:
        return "it was interrupted"
    # The suite's own errors say what could not be computed.
    if code == pytest.ExitCode.INTERNAL_ERROR and not run.shouldfail:
        return "pytest failed with an internal error"
    if code == pytest.ExitCode.USAGE_ERROR:
        return "an input cannot be used"
    return str(run.shouldfail or run.shouldstop or "")
