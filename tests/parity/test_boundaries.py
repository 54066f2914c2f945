"""Collecting tests and showing help import no TensorFlow; what only judges imports no framework at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"keras", "tensorflow", "tf_keras", "tf_slim", "torch"}
NETWORKS = {"pnasnet_torch", "tf_reference"}
CHECK = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def imported(*modules: str, folder: Path = ROOT) -> set[str]:
    """All top-level modules that are loaded once `modules` are imported."""
    command = [sys.executable, "-c", CHECK, *modules]
    return set(subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True).stdout.split())


def test_what_judges_imports_no_framework_and_no_network() -> None:
    loaded = imported(
        *(f"parity.core.{name}" for name in ("layers", "metrics", "policy", "result", "compare", "localize"))
    )
    assert {"numpy", "parity"} <= loaded
    assert not loaded & (FRAMEWORKS | NETWORKS | {"pytest"})


def test_what_is_called_from_python_is_imported_when_it_is_used() -> None:
    assert not imported("parity") & (FRAMEWORKS | {"numpy", "pytest"})


def test_making_a_report_s_page_again_imports_no_framework() -> None:
    loaded = imported("parity.report.__main__")
    assert "parity" in loaded
    assert not loaded & (FRAMEWORKS | {"pytest"})


def test_what_pytest_loads_at_its_start_imports_no_tensorflow() -> None:
    """Nor rich and platformdirs, which the tests of the port alone go without."""
    loaded = imported("parity.plugin.loading")
    assert {"parity", "pytest"} <= loaded
    assert not loaded & (FRAMEWORKS - {"torch"} | {"platformdirs", "rich"})


def test_the_tests_of_parity_import_no_tensorflow() -> None:
    names = [f"parity.{path.stem}" for path in sorted((ROOT / "parity").glob("test_*.py"))]
    assert len(names) >= 4
    assert not imported(*names) & (FRAMEWORKS - {"torch"})


@pytest.mark.parametrize("name", sorted(FRAMEWORKS | NETWORKS))
def test_a_planted_import_is_found(name: str, tmp_path: Path) -> None:
    """The check sees an import below an import, of a part of a package."""
    (tmp_path / "planted.py").write_text("import planted_deep")
    (tmp_path / "planted_deep.py").write_text(f"import {name}.part")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "part.py").touch()
    assert imported("planted", folder=tmp_path) & (FRAMEWORKS | NETWORKS) == {name}


# What lies in parity/, beside the tests that are the product.
ENTRIES = {
    *(
        "__init__.py",
        "__init__.pyi",
        "__main__.py",
        "core",
        "reference",
        "candidate",
        "gates",
        "diagnosis",
        "session",
        "plugin",
    ),
    *("report", "imagenet", "faults", "convert", "photographs"),
}


def test_the_house_has_twelve_rooms_and_a_door() -> None:
    found = {path.name for path in (ROOT / "parity").iterdir() if not path.name.startswith(("test_", "__pycache__"))}
    assert found == ENTRIES


UPWARD = {
    "parity/core/metrics.py": "from parity.gates import values",
    "parity/gates/values.py": "from parity.session.session import ParitySession",
    "parity/imagenet/record.py": "import parity.reference.live",
    "pnasnet_torch/padding.py": "import tf_reference.errors",
    "tf_reference/errors.py": "import torch",
}


@pytest.mark.parametrize("module", UPWARD)
def test_an_import_that_points_up_breaks_a_contract(module: str, tmp_path: Path) -> None:
    for package in ("parity", "pnasnet_torch", "tf_reference"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.jpg"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert lint_imports(tmp_path) == 0
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{UPWARD[module]}\n")
    assert lint_imports(tmp_path) == 1


def lint_imports(folder: Path) -> int:
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True).returncode
