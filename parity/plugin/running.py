"""What the hooks and fixtures delegate to: the session of a run, its report, and failures."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parity.core.errors import InputError
from parity.core.layers import Case
from parity.core.pinning import pin_torch
from parity.core.result import LayerResult
from parity.plugin.cases import DESELECTED, OPTIONS, PLACES, TAKEN, cases, is_unobservable, selection
from parity.plugin.options import given
from parity.plugin.parse import parse_options, suite_in
from parity.plugin.reference_options import one_running
from parity.reference.requirements import require_tensorflow

if TYPE_CHECKING:
    from parity.imagenet.options import Settings
    from parity.report.recorder import Recorder
    from parity.session.session import ParitySession

EVALUATION, TRAINING = (Path(__file__).parents[1] / f"test_{name}.py" for name in ("imagenet", "training"))
SETTINGS = pytest.StashKey["Settings | None"]()
SESSION = pytest.StashKey["ParitySession"]()
RECORDER = pytest.StashKey["Recorder"]()
# The property of an item's report that says why it is counted apart: downstream or repeated, or unobservable.
PROPERTY, UNOBSERVABLE = "parity", "unobservable"


def configure(config: pytest.Config) -> None:
    """Checks the options. Raises pytest.UsageError for one that cannot be used."""
    refuse_workers(config)
    refuse_options_of_others(config.invocation_params.args, config.stash[TAKEN])
    config.addinivalue_line(
        "markers", "gate(*names, of='layers'): the gates that judge a test's layers, blocks or images"
    )
    config.stash[SETTINGS] = settings = _settings(config)
    module = bool(config.getoption("pyargs"))
    config.stash[OPTIONS] = parse_options(config, settings, config.stash[TAKEN], suite_in(config), module)
    config.stash[DESELECTED] = []
    config.stash[PLACES] = {}
    if settings and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = [str(EVALUATION)]
    elif not settings and any(EVALUATION.name in argument for argument in config.args):
        raise pytest.UsageError(f"{EVALUATION.name} evaluates on ImageNet: ask for it with --full-imagenet")


def refuse_workers(config: pytest.Config) -> None:
    """Raise pytest.UsageError where pytest-xdist would deal the tests to several processes."""
    if hasattr(config, "workerinput") or config.getoption("tx", None) or config.getoption("numprocesses", None):
        raise pytest.UsageError(
            "parity computes each network once for all of its tests, on --threads threads: it cannot go with "
            "pytest-xdist's workers. Add -n 0"
        )


def refuse_options_of_others(arguments: Iterable[object], taken: frozenset[str]) -> None:
    """Raise pytest.UsageError where the command line has an option that would be ours, were it not another plugin's:
    most likely ours is meant, and the other plugin would take its value in silence."""
    for argument in map(str, arguments):
        name = argument.partition("=")[0].removeprefix("--")
        if argument.startswith("--") and name in taken:
            raise pytest.UsageError(f"--{name} is another plugin's option here: parity's is --parity-{name}")


def _settings(config: pytest.Config) -> "Settings | None":
    if not given(config, "full-imagenet"):
        return None
    reference = one_running(config, "--full-imagenet")
    from parity.imagenet.options import parse_settings

    def get(name: str) -> Any:
        return reference if name == "reference" else given(config, name.replace("_", "-"))

    def ini(name: str) -> str | None:
        return str(config.rootpath / value) if (value := config.getini(name)) else None

    try:
        require_tensorflow()
        return parse_settings(get, ini)
    except InputError as error:
        raise pytest.UsageError(str(error)) from error


def ignored(path: Path, config: pytest.Config) -> bool | None:
    """Whether pytest shall leave the file aside: the evaluation runs where it is asked for, and so does training, which
    then runs alone."""
    if path == EVALUATION:
        return None if given(config, "full-imagenet") else True
    others = path.parent == TRAINING.parent and path.name.startswith("test_")
    return True if others and given(config, "training") != (path == TRAINING) else None


@contextmanager
def running(session: pytest.Session) -> Iterator["ParitySession"]:
    """The session that computes what this run's items ask for, closed at the end."""
    from parity.core.computing import observe_nothing
    from parity.imagenet.evaluator import Evaluator
    from parity.plugin.progress import Progress
    from parity.session.opening import open_reference
    from parity.session.session import ParitySession

    with exit_on_bad_input():
        config = session.config
        progress = Progress(config)
        evaluator = Evaluator(settings, progress.watch) if (settings := config.stash[SETTINGS]) else None
        recorder = start_recorder(config)
        observe = recorder.collector if recorder else observe_nothing
        options, chosen = config.stash[OPTIONS], selection(session.items, config.stash[OPTIONS])
        pin_torch(options.threads)
        # What was loaded and collected so far stays: the garbage collector need not walk it after each network.
        gc.freeze()
        made = ParitySession(options, chosen, open_reference(options, chosen), progress, evaluator, observe)
    if recorder:
        recorder.begin(made, evaluator)
    config.stash[SESSION] = made
    try:
        yield made
    finally:
        with exit_on_bad_input():
            made.close()


def start_recorder(config: pytest.Config) -> "Recorder | None":
    """The recorder of a run with --report. Without, nothing of it is imported."""
    options = config.stash[OPTIONS]
    if options.report is None:
        return None
    from parity.report.recorder import Recorder

    config.stash[RECORDER] = recorder = Recorder(options, options.report)
    return recorder


def write_report(session: pytest.Session, code: int) -> None:
    """Writes the report of a run that was to have one and has begun. A run that cannot write it does not end well."""
    if recorder := session.config.stash.get(RECORDER, None):
        options = session.config.stash[OPTIONS]
        found = [(case, item.nodeid) for item in session.items for case in cases([item])]
        tests = [(case, node) for case, node in found if not is_unobservable(case, options)]
        if not recorder.write(tests, session, code) and code == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def report_lines(config: pytest.Config) -> list[str]:
    """Where the report lies, or why there is none though it was asked for."""
    if config.stash[OPTIONS].report is None:
        return []
    recorder = config.stash.get(RECORDER, None)
    return recorder.lines if recorder else ["parity: no report, since nothing was compared"]


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """Ends the run with pytest's code for usage errors where the inputs turn out to be of no use."""
    try:
        yield
    except InputError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def judge(session: "ParitySession", case: Case, run: pytest.Session) -> LayerResult:
    """The session's verdict. An error of its own is one for all cases behind it too, and ends the run."""
    with exit_on_bad_input():
        try:
            return session.result(*case)
        except Exception:
            run.shouldfail = f"{case.network} {case.gate} could not be computed; nothing behind it was compared"
            raise


def skip_unobservable(case: Case, node: pytest.Item) -> None:
    """Ends the test of a layer that what is judged does not show: it neither passes nor fails."""
    options = node.config.stash[OPTIONS]
    if is_unobservable(case, options):
        node.user_properties.append((PROPERTY, UNOBSERVABLE))
        pytest.skip(f"{options.judged} does not show {case.name}")


def raise_unless_passed(result: LayerResult, request: pytest.FixtureRequest) -> None:
    """Fails the test: with the result's own words and the command that repeats just this, or with one line where the
    layer fails behind another one, or failed a stronger gate already."""
    if result:
        return
    reason, words = request.getfixturevalue("parity_session").explained(*request.getfixturevalue("case"))
    if reason:
        request.node.user_properties.append((PROPERTY, reason))
        pytest.fail(f"{result.layer} fails the {result.gate} gate ({result.network}) {words}", pytrace=False)
    node = request.node
    command = request.config.stash[OPTIONS].command_of(node.path.name, node.name)
    pytest.fail(f"{result}\n  to repeat just this: {command}", pytrace=False)
