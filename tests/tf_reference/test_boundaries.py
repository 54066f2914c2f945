"""Importing `tf_reference` imports neither the port nor the suite, and no framework before one is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = {"keras", "parity", "pnasnet_torch", "pytest", "tensorflow", "tf_keras", "tf_slim", "torch"}
CHECK = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def imported(package: str, folder: Path) -> tuple[list[str], set[str]]:
    """Return the modules of `package`, and all top-level modules that are loaded once these are imported."""
    command = [sys.executable, "-c", CHECK, package]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    modules, loaded = json.loads(result.stdout)
    return modules, set(loaded)


def test_importing_the_reference_imports_no_framework_no_port_and_no_suite() -> None:
    modules, loaded = imported("tf_reference", Path(__file__).parents[2])
    assert {f"tf_reference.{name}" for name in ("compat", "graph", "official", "run", "synthetic")} <= set(modules)
    assert "numpy" in loaded
    assert not loaded & FORBIDDEN


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_planted_import_is_found(name: str, tmp_path: Path) -> None:
    for package in ("planted", name):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "planted/deep.py").write_text(f"import {name}.part")
    (tmp_path / name / "part.py").touch()
    _, loaded = imported("planted", tmp_path)
    assert loaded & FORBIDDEN == {name}
