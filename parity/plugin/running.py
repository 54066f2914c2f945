"""What the hooks and fixtures delegate to: the session of a run, its report, and failures."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.core.command import ASK_FOR_REPORT, stopped_by_termination
from parity.core.errors import is_outside, told
from parity.core.layers import Case
from parity.core.pinning import SIDE_THREADS, pin_torch
from parity.core.result import LayerResult
from parity.plugin.cases import OPTIONS, cases, is_unobservable, selection
from parity.plugin.configuring import PROCESS, SETTINGS
from parity.plugin.entry import SUITE

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator
    from parity.plugin.progress import Progress
    from parity.report.recorder import Recorder
    from parity.session.session import ParitySession

SESSION = pytest.StashKey["ParitySession"]()
# Whether the suite itself failed.
BROKEN = pytest.StashKey[bool]()
RECORDER = pytest.StashKey["Recorder"]()
# The property of an item's report that says why it is counted apart: downstream or repeated, or unobservable.
PROPERTY = "parity"
UNOBSERVABLE = "unobservable"


@contextmanager
def running(session: pytest.Session) -> Iterator["ParitySession"]:
    """Open the session that computes what this run's items ask for, and close it at the end."""
    from parity.plugin.progress import Progress

    config = session.config
    with ending(session, "the session could not be opened"):
        progress = Progress(config)
        evaluator = _evaluator(config, progress)
        recorder = start_recorder(config)
        parity_session = _open_session(session, progress, evaluator, recorder)
    if recorder:
        recorder.begin(parity_session, evaluator)
    # For the hooks that write the verdict and the table once the session is closed.
    config.stash[SESSION] = parity_session
    try:
        with stopped_by_termination():
            yield parity_session
    finally:
        with ending(session, "the last verdict could not be given"):
            parity_session.close()


def _evaluator(config: pytest.Config, progress: "Progress") -> "Evaluator | None":
    """Return the evaluation on ImageNet, if it is asked for."""
    settings = config.stash[SETTINGS]
    if settings is None:
        return None
    from parity.imagenet.evaluator import Evaluator

    return Evaluator(settings, progress.watch)


def _open_session(
    session: pytest.Session, progress: "Progress", evaluator: "Evaluator | None", recorder: "Recorder | None"
) -> "ParitySession":
    """Open the session of a run's items, with PyTorch pinned."""
    from parity.core.computing import observe_nothing
    from parity.session.opening import open_reference
    from parity.session.session import ParitySession

    options = session.config.stash[OPTIONS]
    selected = selection(session.items, options)
    observe = recorder.collector if recorder else observe_nothing
    pin_torch(SIDE_THREADS)
    reference = open_reference(options, selected, progress, session.config.stash[PROCESS])
    return ParitySession(options, selected, reference, progress, evaluator, observe)


def start_recorder(config: pytest.Config) -> "Recorder | None":
    """Return the recorder of a run with --report. Without, nothing of it is imported."""
    options = config.stash[OPTIONS]
    if options.report is None:
        return None
    from parity.report.recorder import Recorder

    recorder = Recorder(options, options.report)
    config.stash[RECORDER] = recorder
    return recorder


def finish(session: pytest.Session, code: int) -> None:
    """Give a run that pytest ends with `code` its own code where the suite itself failed, and write its report."""
    if session.config.stash.get(BROKEN, False):
        code = pytest.ExitCode.INTERNAL_ERROR
        session.exitstatus = code
    _write_report(session, code)


def _write_report(session: pytest.Session, code: int) -> None:
    """Write the report of a run that was to have one and has begun. A run that cannot write it does not end well."""
    recorder = session.config.stash.get(RECORDER, None)
    if recorder is None:
        return
    options = session.config.stash[OPTIONS]
    tests: list[tuple[Case, str]] = []
    for item in session.items:
        tests += [(case, item.nodeid) for case in cases([item]) if not is_unobservable(case, options)]
    is_written = recorder.write(tests, session, code)
    # A run that fails already keeps its own code.
    if not is_written and code == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def report_lines(config: pytest.Config) -> list[str]:
    """Return lines on where the report lies, or why there is none though it was asked for."""
    if config.stash[OPTIONS].report is None:
        return []
    recorder = config.stash.get(RECORDER, None)
    if recorder is None:
        return ["parity: no report, since nothing was compared"]
    return recorder.lines


@contextmanager
def ending(run: pytest.Session, reason: str) -> Iterator[None]:
    """End the run where its inputs turn out to be of no use, with pytest's code for usage errors; or where the suite
    itself fails, for this `reason`."""
    try:
        yield
    except Exception as error:
        if is_outside(error):
            pytest.exit(told(error), returncode=pytest.ExitCode.USAGE_ERROR)
        # The session does not go on behind its own error, which all cases behind this one would only repeat.
        run.shouldfail = reason
        run.config.stash[BROKEN] = True
        raise


def judge(session: "ParitySession", case: Case, run: pytest.Session) -> LayerResult:
    """Return the session's layer result of a case. Where the session itself fails, the run ends."""
    with ending(run, f"{case.network} {case.gate} could not be computed; nothing behind it was compared"):
        return session.result(*case)


def broken_lines(config: pytest.Config) -> list[str]:
    """Return a line that asks for a report where the suite itself failed."""
    return [f"parity: {ASK_FOR_REPORT}"] if config.stash.get(BROKEN, False) else []


def ask_for_report(error: BaseException) -> None:
    """Ask for a report of an error that ends pytest, where it went through the suite's code."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    if any(file.is_relative_to(SUITE) for file in files):
        print(f"parity: {ASK_FOR_REPORT}", file=sys.stderr)


def skip_unobservable(case: Case, node: pytest.Item) -> None:
    """Skip the test of a layer that is unobservable in the candidate: it neither passes nor fails."""
    options = node.config.stash[OPTIONS]
    if is_unobservable(case, options):
        node.user_properties.append((PROPERTY, UNOBSERVABLE))
        pytest.skip(f"{options.judged} does not show {case.name}")


def raise_unless_passed(result: LayerResult, request: pytest.FixtureRequest) -> None:
    """Fail the test where its layer fails.

    The failure has the result's own words and the command that repeats just this; where the layer fails behind another
    one, or failed a stronger gate already, it is one line.
    """
    if result:
        return
    node = request.node
    reason, words = request.getfixturevalue("parity_session").explained(*request.getfixturevalue("case"))
    if reason:
        node.user_properties.append((PROPERTY, reason))
        # No traceback here and below: it would show nothing but this function.
        pytest.fail(f"{result.layer} fails the {result.gate} gate ({result.network}) {words}", pytrace=False)
    command = request.config.stash[OPTIONS].command_of(node.path.name, node.name)
    pytest.fail(f"{result}\n  to repeat just this: {command}", pytrace=False)
