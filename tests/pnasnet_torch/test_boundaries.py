"""Importing the port imports neither TensorFlow nor the test suite."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = {"keras", "parity", "pytest", "tensorflow", "tf_keras", "tf_reference", "tf_slim"}
CHECK = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def imported(package: str, folder: Path | None = None) -> tuple[list[str], set[str]]:
    """The modules of `package`, and all top-level modules that are loaded once all of them are imported."""
    command = [sys.executable, "-c", CHECK, package]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    modules, loaded = json.loads(result.stdout)
    return modules, set(loaded)


def test_importing_the_port_imports_no_tensorflow_and_no_suite() -> None:
    modules, loaded = imported("pnasnet_torch", Path(__file__).parents[2])
    assert {"pnasnet_torch.model", "pnasnet_torch.weights"} <= set(modules)
    assert "torch" in loaded
    assert not loaded & FORBIDDEN


def test_what_takes_no_pytorch_brings_none_in() -> None:
    modules = "pnasnet_torch.classes, pnasnet_torch.decode, pnasnet_torch.genotype, pnasnet_torch.preprocess"
    command = [sys.executable, "-c", f"import sys, pnasnet_torch, {modules}; print('torch' in sys.modules)"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_planted_import_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/__init__.py").touch()
    (tmp_path / "planted/deep.py").write_text(f"import {name}.part")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "part.py").touch()
    _, loaded = imported("planted", tmp_path)
    assert loaded & FORBIDDEN == {name}
