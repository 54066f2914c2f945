"""A run's recorder: collects while it lasts, and writes the report when it ends, however it ends."""

import shlex
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from parity.report.collect import Collector
from parity.report.document import Key, Outcome, document
from parity.report.evaluation import evaluation
from parity.report.faults import faults
from parity.report.judgement import Run
from parity.report.provenance import provenance
from parity.report.render import HTML, write

if TYPE_CHECKING:
    from parity.core.layers import Case
    from parity.imagenet.evaluator import Evaluator
    from parity.session.options import Options
    from parity.session.session import ParitySession


class Recorder:
    """Of one run with `options`. `lines` are what is to be said of the report at the end."""

    def __init__(self, options: "Options", folder: Path) -> None:
        self.collector = Collector()
        self.lines: list[str] = []
        self._session: ParitySession | None = None
        self._evaluator: Evaluator | None = None
        self._options = options
        self._folder = folder
        self._started = datetime.now(UTC)
        self._clock = perf_counter()

    def begin(self, session: "ParitySession", evaluator: "Evaluator | None") -> None:
        """What is to be recorded: the session that is observed, and the evaluation, if there is one."""
        self._session, self._evaluator = session, evaluator
        self.collector.layers = session.layers

    def write(self, cases: "list[tuple[Case, str]]", run: pytest.Session, code: int) -> bool:
        """Writes both files; whether that went well. `cases` are the selected ones, each with its test's id."""
        if self._session is None:
            self.lines = ["parity: no report, since nothing was compared"]
            return True
        try:
            write(self._document(self._session, cases, self._run(run, code)), self._folder)
        except OSError as error:
            self.lines = [f"parity: the report could not be written: {error}"]
            return False
        self.lines = [f"parity: report: {self._folder / HTML}"]
        return True

    def _run(self, run: pytest.Session, code: int) -> Run:
        config = run.config
        chosen = {"-k": config.option.keyword, "-m": config.option.markexpr}
        return Run(
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            arguments=shlex.join(self._options.arguments),
            selection=" ".join(shlex.join([name, text]) for name, text in chosen.items() if text),
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(perf_counter() - self._clock, 1),
            exit=code,
            tests=len(run.items),
            stopped=_stopped(run, code),
        )

    def _document(self, session: "ParitySession", cases: "list[tuple[Case, str]]", run: Run) -> dict[str, Any]:
        options, results = self._options, session.results
        nodes: defaultdict[Key, dict[str, str]] = defaultdict(dict)
        for case, node in cases:
            nodes[case.gate, case.network][case.name] = node
        keys = [(gate, network) for network, gates in results.items() for gate in gates]
        outcome = Outcome(
            run=run,
            networks=tuple(dict.fromkeys([*options.networks, *results])),
            layers=session.layers,
            results=results,
            verdicts=session.verdicts,
            seconds=session.seconds,
            nodes=nodes,
            images=frozenset(name for network in options.networks for name in options.image_names(network)),
            observations=self.collector.observations,
            explained={key: partial(session.explained, *key) for key in keys},
            gates=options.candidate.gates if options.candidate else options.gates,
            unobservable=options.unobservable,
            shown=[line for line, hidden in zip(options.shown, options.unobservable.values(), strict=False) if hidden],
        )
        imagenet = evaluation(self._evaluator) if self._evaluator else None
        # What is measured is what the gates of evaluation catch.
        measured = None if options.training else faults()
        return document(outcome, provenance(options, session), imagenet=imagenet, faults=measured)


def _stopped(run: pytest.Session, code: int) -> str:
    """Why the run ended before its end; empty if it did not."""
    if code == pytest.ExitCode.INTERRUPTED:
        return "it was interrupted"
    if code == pytest.ExitCode.INTERNAL_ERROR:
        return "pytest failed with an internal error"
    if code == pytest.ExitCode.USAGE_ERROR:
        return "an input cannot be used"
    return str(run.shouldfail or run.shouldstop or "")
