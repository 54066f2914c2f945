"""Objects by their names, MODULE:NAME; also from a checkout, whose modules are not left importable behind it."""

import contextlib
import importlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.pinning import Pins


@contextmanager
def importable(root: Path | None) -> Iterator[None]:
    """Make the modules in the folder `root` importable while this lasts, before any others of their names.

    Then the modules are taken out again, and others that were imported under their names are put back.
    """
    if root is None:
        yield
        return
    checkout_names = {path.stem for path in root.glob("*.py")}
    checkout_names |= {path.parent.name for path in root.glob("*/__init__.py")}
    # A checkout calls its modules as it likes (model, utils): what was imported under such a name would be taken for
    # its own.
    set_aside = _pop_modules(checkout_names)
    sys.path.insert(0, str(root))
    # The import system remembers folders' contents: a checkout may be younger than what it remembers.
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        _pop_modules(checkout_names)
        sys.modules.update(set_aside)


def _pop_modules(names: set[str]) -> dict[str, Any]:
    """Take the imported modules called `names`, and those within them, out of `sys.modules`, and return them."""
    taken_out = {}
    # A copy of the names, since what is iterated over must not shrink.
    for name in list(sys.modules):
        if name.split(".")[0] in names:
            taken_out[name] = sys.modules.pop(name)
    return taken_out


@contextmanager
def others_code(what: str, pins: Pins) -> Iterator[None]:
    """Run code of others while this lasts: what it prints is left out, and what it changes of the `pins` is put back.

    Raises InputError, saying that it is `what` raised it, for whatever it raises, its leaving the process among it.
    """
    try:
        with pins.held(), contextlib.redirect_stdout(io.StringIO()):
            yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{what} raises {type(error).__name__}: {error}") from error


def find_object(spec: str) -> Any:
    """Return the attribute that MODULE:NAME names; the module may lie in the current folder.

    Raises InputError if there is none, or the module cannot be imported.
    """
    module_name, _, attributes = spec.partition(":")
    if not module_name or not attributes:
        raise InputError(f"{spec!r} names no object: expected MODULE:NAME, such as mypackage.models:pnasnet5large")
    # As `python -m pytest` has it: a port in the current folder is found by the plain command, too.
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        named_object: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{spec} cannot be had: {error}; install that package in this environment, or correct the name"
        ) from error
    except (Exception, SystemExit) as error:  # whatever another's module raises while it is imported
        raise InputError(
            f"{spec} cannot be had: importing {module_name} raises {type(error).__name__}: {error}"
        ) from error
    try:
        for attribute in attributes.split("."):
            named_object = getattr(named_object, attribute)
    except Exception as error:  # a module that loads its names lazily raises other errors than AttributeError, too
        raise InputError(f"{spec} cannot be had: {error}; correct the name") from error
    return named_object
