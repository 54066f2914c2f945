"""Each test file of the product fails when the port is broken in what that file is about."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# By file: what is broken in the port, as a plugin, and which items look at it.
BROKEN = {
    "test_preprocess": ("from pnasnet_torch import preprocess; preprocess.SCALE *= 2", "chelsea"),
    "test_structure": ("from pnasnet_torch import model; model.stem_filters = lambda config: 16", "conv0"),
    "test_exact": ("from pnasnet_torch import operations; operations.BATCH_NORM_EPSILON = 1e-2", "conv0_bn"),
    "test_float64": ("from pnasnet_torch import operations; operations.BATCH_NORM_EPSILON = 1e-2", "conv0_bn"),
    "test_float32": ("from pnasnet_torch import operations; operations.BATCH_NORM_EPSILON = 1e-2", "conv0_bn"),
}


def run(folder: Path, file: str, broken: str, keyword: str) -> tuple[int, str]:
    """Runs one file of the product with that much broken: the exit code, and what it says."""
    (folder / "broken_port.py").write_text(f"def pytest_collection_finish():\n    {broken}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pytest", "-p", "broken_port", f"parity/{file}.py", "-k", keyword, "-q"]
    options = ["--variant=mobile", "--image-size=64"]
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", BROKEN)
def test_it_fails(tmp_path: Path, file: str) -> None:
    """Every item that looks at what is broken, and none of them where nothing is."""
    broken, keyword = BROKEN[file]
    code, said = run(tmp_path, file, broken, keyword)
    assert code == int(pytest.ExitCode.TESTS_FAILED), said
    assert re.search(r"^\d+ failed", said.splitlines()[-1]), said
    assert "passed" not in said.splitlines()[-1] or file == "test_structure"
    code, said = run(tmp_path, file, "pass", keyword)
    assert code == 0, said
    assert "failed" not in said.splitlines()[-1]


def test_no_file_is_left_out() -> None:
    """test_imagenet.py is broken in imagenet/test_evaluation.py, which has the images for it, and test_training.py, by
    each of its gates, in training/."""
    files = {path.stem for path in (ROOT / "parity").glob("test_*.py")}
    assert files == {*BROKEN, "test_imagenet", "test_training"}
