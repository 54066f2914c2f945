"""Each test file of the product fails when the port is broken in what that file is about."""

import re
from collections import Counter
from collections.abc import Callable

import pytest

from pnasnet_torch import model, operations, preprocess
from tests.parity.starting import ROOT, start_here

SMALL = ("--variant=mobile", "--image-size=64", "--threads=1")


def break_pixels_and_batch_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "BATCH_NORM_EPSILON", 1e-2)
    monkeypatch.setattr(preprocess, "SCALE", 2 * preprocess.SCALE)


def break_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "stem_filters", lambda _config: 16)


# How the port is broken; which items look at that; and how many of them each file of the product has.
BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, dict[str, int]]] = {
    "pixels and batch norms": (
        break_pixels_and_batch_norms,
        "chelsea or (conv0_bn and not structure)",
        {"test_preprocess": 1, "test_exact": 2, "test_float64": 1, "test_float32": 1},
    ),
    "filters": (
        break_filters,
        "structure and conv0",
        # The layer, its batch norm, and the blocks that these are.
        {"test_structure": 4},
    ),
}


def run(keyword: str) -> tuple[Counter[str], Counter[str]]:
    """Run the product: by file, how many items pass, and how many fail."""
    code, said = start_here(*SMALL, "-k", keyword, "-v")
    outcomes = re.findall(r"^parity/(\w+)\.py::\S+ (PASSED|FAILED|DOWNSTREAM|REPEATED)", said, re.MULTILINE)
    passed = Counter(file for file, outcome in outcomes if outcome == "PASSED")
    failed = Counter(file for file, outcome in outcomes if outcome != "PASSED")
    assert code == (pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK), said
    return passed, failed


@pytest.mark.parametrize("what", BROKEN)
def test_every_file_fails_where_the_port_is_broken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item that looks at what is broken."""
    plant, keyword, items = BROKEN[what]
    plant(monkeypatch)
    passed, failed = run(keyword)
    assert failed == items
    assert not passed


def test_no_file_fails_where_nothing_is_broken() -> None:
    keyword = " or ".join(f"({keyword})" for _, keyword, _ in BROKEN.values())
    passed, failed = run(keyword)
    assert passed == sum((Counter(items) for _, _, items in BROKEN.values()), Counter())
    assert not failed


def test_no_file_is_left_out() -> None:
    """test_imagenet.py is broken in imagenet/test_evaluation.py, which has the images for it, and test_training.py, by
    each of its gates, in training/."""
    files = {path.stem for path in (ROOT / "parity").glob("test_*.py")}
    assert files == {*(file for _, _, items in BROKEN.values() for file in items), "test_imagenet", "test_training"}
