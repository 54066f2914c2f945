"""How the suite comes into a run of pytest that asks for it."""

import importlib.util
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from parity.core.code import PACKAGES
from parity.plugin import hooks
from parity.plugin.cases import TAKEN
from parity.plugin.entry import EVALUATION, other_checkout
from parity.plugin.options import add_options, options_with_values


def prepare(config: pytest.Config) -> None:
    """Do what has to be done before any conftest.py is read.

    Raises pytest.UsageError where pytest was started in a checkout that is not the one that Python imports.
    """
    check_checkout(config.invocation_params.dir)
    start_with_joined_values(config)
    # Both are read once, when a framework is imported. oneDNN's kernels would depend on the CPU.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    if any(argument in EVALUATION for argument in config.invocation_params.args):
        # In the evaluation alone, PyTorch has several threads, which spin while they wait for each other; by default so
        # long that beside another busy process they are twice as slow as with this.
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")


def check_checkout(folder: Path) -> None:
    """Raise pytest.UsageError where `folder` lies in a checkout of the suite, and Python imports another one's code."""
    for top in (folder, *folder.parents):
        if not os.path.isfile(top / "parity/plugin/entry.py"):
            continue
        # The suite may be this checkout's, and the port or the official network another one's.
        for name in PACKAGES:
            spec = importlib.util.find_spec(name)
            imported = Path(spec.origin).parent if spec and spec.origin else None
            if imported is None or imported.resolve() != (top / name).resolve():
                raise pytest.UsageError(other_checkout(top / name, imported or Path(name)))
        return


def start_with_joined_values(config: pytest.Config) -> None:
    """Start pytest anew with `--imagenet=PATH` where the command line has `--imagenet PATH`, and end with its code.

    pytest looks for its settings before it knows the suite's options, beside every argument that is an existing path.
    It would take PATH, an option's value, for a place of tests, and its folder for the project: no settings, and a
    cache in somebody's data. `--imagenet=PATH` is not mistaken. Where a program calls pytest, there is no command line.
    """
    arguments = [str(argument) for argument in config.invocation_params.args]
    joined = join_values(arguments, options_with_values())
    if arguments == sys.argv[1:] and joined != arguments:
        raise SystemExit(pytest.main(joined))


def join_values(arguments: Sequence[str], options: Collection[str]) -> list[str]:
    """Return the arguments with each of the `options` and its value in one."""
    joined: list[str] = []
    for argument in arguments:
        # What begins with a dash is the next option and no value.
        if joined and joined[-1] in options and not argument.startswith("-"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def load(config: pytest.Config, parser: pytest.Parser) -> None:
    """Add the suite's options and hooks."""
    config.stash[TAKEN] = add_options(parser)
    config.pluginmanager.register(hooks, "pnasnet-parity-suite")
