"""Objects by their names, MODULE:NAME; also from a checkout, whose modules are not left importable behind it."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.core.errors import InputError


@contextmanager
def importable(root: Path | None) -> Iterator[None]:
    """While this lasts, the modules in the folder `root` can be imported, before any others of their names."""
    if root is None:
        yield
        return
    own = {path.stem for path in root.glob("*.py")} | {path.parent.name for path in root.glob("*/__init__.py")}
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in own}
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.split(".")[0] in own]:
            del sys.modules[name]
        sys.modules.update(before)


def find_object(spec: str) -> Any:
    """The attribute that MODULE:NAME names; the module may lie in the current folder.

    Raises InputError if there is none, or the module cannot be imported.
    """
    module, _, name = spec.partition(":")
    if not module or not name:
        raise InputError(f"{spec!r} names no object: expected MODULE:NAME, such as mypackage.models:pnasnet5large")
    # As `python -m pytest` has it: a port in the current folder is found by the plain command, too.
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever another's module raises while it is imported
        raise InputError(
            f"{spec} cannot be had: {type(error).__name__}: {error}. Is its package installed in this environment, "
            "and are the names right?"
        ) from error
    return found
