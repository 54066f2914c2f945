"""Lets `pytest --full-imagenet --imagenet PATH` be typed as it stands.

pytest looks for its settings before it knows this project's options, beside every argument that is an existing path.
It would take PATH, the option's value, for a place of tests, and never see this project. `--imagenet=PATH` is not
mistaken, so a command with the former is replaced by one with the latter. Installed as pytest's entry point.
"""

import os
import sys
from collections.abc import Generator, Sequence

import pytest

FLAG = "--full-imagenet"
WITH_PATH = ("--imagenet", "--devkit", "--checkpoint", "--output", "--images", "--report")


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with each path option and its value in one."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] in WITH_PATH and not argument.startswith("-"):
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


# Before pytest's own capturing, which would swallow the new command's output.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    given = list(map(str, early_config.invocation_params.args))
    # Where pytest is called by a program, there is no command to replace.
    if FLAG in given and given == sys.argv[1:] and (better := joined(given)) != given:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *better])
    return (yield)
