"""pytest's entry point: brings the suite in where a run asks for it. Any other run gets no option and no import.

It is imported in every run of pytest of its environment, so it imports nothing but pytest itself.
"""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[1]
EVALUATION = ("--full-imagenet", "--parity-full-imagenet")


# Before pytest's own capturing, which would swallow what a run that is started anew says.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """Load the suite around the reading of the conftest.py files, where the run asks for it."""
    if not is_asked_for(early_config, parser, args):
        return (yield)
    from parity.plugin.others import shown_at_the_end

    with shown_at_the_end(early_config):
        from parity.plugin import loading

        loading.prepare(early_config)
    yield
    # Behind the conftest.py files, whose options come first.
    with shown_at_the_end(early_config):
        loading.load(early_config, parser)


@pytest.fixture
def parity_check() -> Callable[..., None]:
    """Return what fails a test, with the verdict as its message, unless a PNASNet-5 has the official one's layers.

    `parity_check(model)` judges by the golden digests: see `parity.check` for what else can be given.
    """
    from parity import assert_parity

    return assert_parity


def is_asked_for(config: pytest.Config, parser: pytest.Parser, arguments: list[str]) -> bool:
    """Tell whether the arguments name the suite, by a path to it or into it, as a module, or ask for the evaluation.

    Raises pytest.UsageError where they name that of another checkout.
    """
    if any(argument in EVALUATION for argument in arguments):
        return True
    # The values of pytest's own options are no places of tests; those of options that are unknown so far may be.
    known, unknown = parser.parse_known_and_unknown_args(arguments)
    # A file may be named with one of its tests behind "::".
    places = [place.partition("::")[0] for place in [*known.file_or_dir, *unknown] if not place.startswith("-")]
    if known.pyargs and any(place.partition(".")[0] == "parity" for place in places):
        return True
    named = False
    for place in places:
        suite = suite_of(config.invocation_params.dir / place)
        if suite is None:
            continue
        if suite != SUITE.resolve():
            raise pytest.UsageError(other_checkout(suite, SUITE))
        named = True
    return named


def suite_of(path: Path) -> Path | None:
    """Return the folder of the suite that a path leads to, or None.

    The path is that folder, lies in it, or is the checkout that holds it.
    """
    # Not Path.resolve, which raises RuntimeError for a link that leads to itself.
    path = Path(os.path.realpath(path))
    for folder in (path / "parity", path, *path.parents):
        # Any folder may be called parity; the suite is known by this file.
        # Not Path.is_file, which raises PermissionError for what lies in a folder that may not be looked into.
        if folder.name == "parity" and os.path.isfile(folder / "plugin/entry.py"):
            return folder
    return None


def other_checkout(here: Path, imported: Path) -> str:
    """Return the message that what lies here is not what Python imports, and what to do."""
    return (
        f"{here} is not what would be judged: Python imports {imported}. Install the checkout that is meant "
        f"(python -m pip install -e {here.parent}), or run its own tests with python -m pytest from {here.parent}"
    )
