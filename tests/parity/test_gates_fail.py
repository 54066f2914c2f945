"""Each test file of the product fails when the port is broken in what that file is about."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.parity.starting import ROOT, start

SMALL = ("--variant=mobile", "--image-size=64", "--threads=1")
EPSILON = "from pnasnet_torch import operations; operations.BATCH_NORM_EPSILON = 1e-2"
# What is broken in the port, as a plugin; which items look at it; and how many of them each file of the product has.
BROKEN = {
    "pixels and batch norms": (
        f"{EPSILON}; from pnasnet_torch import preprocess; preprocess.SCALE *= 2",
        "chelsea or (conv0_bn and not structure)",
        {"test_preprocess": 1, "test_exact": 2, "test_float64": 1, "test_float32": 1},
    ),
    "filters": (
        "from pnasnet_torch import model; model.stem_filters = lambda config: 16",
        # The layer, its batch norm, and the blocks that these are.
        "structure and conv0",
        {"test_structure": 4},
    ),
}


def run(folder: Path, broken: str, keyword: str) -> tuple[Counter[str], Counter[str]]:
    """Runs the product with that much broken: by file, how many items pass, and how many fail."""
    (folder / "broken_port.py").write_text(f"def pytest_collection_finish():\n    {broken}\n")
    code, said = start(folder, *SMALL, "-p", "broken_port", "-k", keyword, "-v")
    outcomes = re.findall(r"^parity/(\w+)\.py::\S+ (PASSED|FAILED|DOWNSTREAM|REPEATED)", said, re.MULTILINE)
    passed = Counter(file for file, outcome in outcomes if outcome == "PASSED")
    failed = Counter(file for file, outcome in outcomes if outcome != "PASSED")
    assert code == (pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK), said
    return passed, failed


@pytest.mark.parametrize("what", BROKEN)
def test_every_file_fails_where_the_port_is_broken(tmp_path: Path, what: str) -> None:
    """Each item that looks at what is broken."""
    broken, keyword, items = BROKEN[what]
    passed, failed = run(tmp_path, broken, keyword)
    assert failed == items
    assert not passed


def test_no_file_fails_where_nothing_is_broken(tmp_path: Path) -> None:
    keyword = " or ".join(f"({keyword})" for _, keyword, _ in BROKEN.values())
    passed, failed = run(tmp_path, "pass", keyword)
    assert passed == sum((Counter(items) for _, _, items in BROKEN.values()), Counter())
    assert not failed


def test_no_file_is_left_out() -> None:
    """test_imagenet.py is broken in imagenet/test_evaluation.py, which has the images for it, and test_training.py, by
    each of its gates, in training/."""
    files = {path.stem for path in (ROOT / "parity").glob("test_*.py")}
    assert files == {*(file for _, _, items in BROKEN.values() for file in items), "test_imagenet", "test_training"}
