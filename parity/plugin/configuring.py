"""What a run is set up with: its options, checked, the evaluation's settings, and which files of tests it takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parity.core.errors import InputError
from parity.plugin.cases import DESELECTED, OPTIONS, PLACES, TAKEN
from parity.plugin.options import given
from parity.plugin.parse import parse_options, suite_in
from parity.plugin.reference_options import one_running
from parity.reference.requirements import require_tensorflow

if TYPE_CHECKING:
    from parity.imagenet.options import Settings
    from parity.reference.process import OfficialProcess

PARITY = Path(__file__).parents[1]
EVALUATION = PARITY / "test_imagenet.py"
TRAINING = PARITY / "test_training.py"
SETTINGS = pytest.StashKey["Settings | None"]()
PROCESS = pytest.StashKey["OfficialProcess | None"]()


def configure(config: pytest.Config) -> None:
    """Check the options and keep them in the stash. Raises pytest.UsageError for one that cannot be used."""
    refuse_options_of_others(config.invocation_params.args, config.stash[TAKEN])
    # The marker is told, as pytest refuses an unknown one where a project is strict.
    config.addinivalue_line(
        "markers", "gate(*names, of='layers'): the gates that judge a test's layers, blocks or images"
    )
    settings = _settings(config)
    as_module = bool(config.getoption("pyargs"))
    config.stash[SETTINGS] = settings
    config.stash[OPTIONS] = parse_options(config, settings, config.stash[TAKEN], suite_in(config), as_module)
    config.stash[DESELECTED] = []
    config.stash[PLACES] = {}
    if settings and config.args_source is not pytest.Config.ArgsSource.ARGS:
        # `pytest --full-imagenet` names no tests: without this, those that the project's settings name would run.
        config.args[:] = [str(EVALUATION)]
    elif not settings and any(EVALUATION.name in argument for argument in config.args):
        raise pytest.UsageError(f"{EVALUATION.name} evaluates on ImageNet: ask for it with --full-imagenet")
    # Last, so that who leaves the workers out then is not told of the next thing that was wrong all along.
    refuse_workers(config)
    config.stash[PROCESS] = _official_process(config)


def _official_process(config: pytest.Config) -> "OfficialProcess | None":
    """Start the process that the official networks run in, which ends with pytest; None where this run needs none."""
    options = config.stash[OPTIONS]
    # The evaluation and training run the official network themselves.
    if options.stored or options.training or config.stash[SETTINGS] or config.option.collectonly:
        return None
    from parity.reference.process import OfficialProcess

    process = OfficialProcess(options)
    config.add_cleanup(process.close)
    return process


def refuse_workers(config: pytest.Config) -> None:
    """Raise pytest.UsageError where pytest-xdist would deal the tests to several processes."""
    # In a worker, and where --tx or -n asks for some; the options are there only where the plugin is installed.
    if hasattr(config, "workerinput") or config.getoption("tx", None) or config.getoption("numprocesses", None):
        raise pytest.UsageError(
            "parity computes each network once for all of its tests, on --threads threads: it cannot go with "
            "pytest-xdist's workers. Add -n 0"
        )


def refuse_options_of_others(arguments: Iterable[object], taken: frozenset[str]) -> None:
    """Raise pytest.UsageError where the command line has an option that would be ours, were it not another plugin's.

    Most likely ours is meant, and the other plugin would take its value in silence. The names `taken` are the others'.
    """
    for argument in map(str, arguments):
        name = argument.partition("=")[0].removeprefix("--")
        if argument.startswith("--") and name in taken:
            raise pytest.UsageError(f"--{name} is another plugin's option here: parity's is --parity-{name}")


def _settings(config: pytest.Config) -> "Settings | None":
    """Return the settings of the evaluation; None where it is not asked for. Raises pytest.UsageError for bad ones."""
    if not given(config, "full-imagenet"):
        return None
    reference = one_running(config, "--full-imagenet")
    from parity.imagenet.options import parse_settings
    from parity.imagenet.sides import OFFICIAL

    def get(name: str) -> Any:
        if name == "reference":  # pytest's option has a list of them
            return reference
        return given(config, name.replace("_", "-"))

    def ini(name: str) -> str | None:
        value = config.getini(name)
        if not value:
            return None
        # Relative to the settings, wherever pytest was started.
        return str(config.rootpath / value)

    try:
        settings = parse_settings(get, ini)
        if OFFICIAL in settings.sides:
            require_tensorflow()
    except InputError as error:
        raise pytest.UsageError(str(error)) from error
    return settings


def ignored(path: Path, config: pytest.Config) -> bool | None:
    """Return True where pytest shall leave the file aside, and None where that is not for the suite to say.

    The evaluation runs where it is asked for, and so does training, which then runs alone.
    """
    is_left_aside = False
    if path == EVALUATION:
        is_left_aside = not given(config, "full-imagenet")
    elif path.parent == PARITY and path.name.startswith("test_"):
        is_left_aside = given(config, "training") != (path == TRAINING)
    # pytest takes False for an answer too, and would not ask anyone else.
    return is_left_aside or None
