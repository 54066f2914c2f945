"""A cache of numba's that cannot be used costs seconds, and ends nothing."""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from pnasnet_torch import compiling
from tests.limits import file_size_limit

SAID = "numba's cache cannot be used, and compiling takes seconds: NUMBA_CACHE_DIR names another folder"
Double = Callable[[], Callable[[int], int]]
MODULE = "def double(value):\n    return 2 * value\n"


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    """Compile a function anew each time, with a cache in a folder of its own."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "doubling.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    doubling = importlib.import_module("doubling")
    monkeypatch.delitem(sys.modules, "doubling")
    compiling._say.cache_clear()
    return lambda: compiling.compiled(doubling.double)  # type: ignore[return-value]


def cached(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_what_was_compiled_is_kept(double: Double, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert double()(2) == 4
    assert {path.suffix for path in cached(tmp_path)} == {".nbi", ".nbc"}
    assert double()(2) == 4
    assert caplog.messages == []


def test_without_a_place_it_is_compiled(
    double: Double, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.caching.FunctionCache.__init__", refuse)
    with caplog.at_level(logging.WARNING):
        assert [double()(2), double()(2)] == [4, 4]
    assert caplog.messages == [SAID]


def test_on_a_full_disk_it_is_compiled(double: Double, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    function = double()
    with file_size_limit(0):
        assert function(2) == 4
    assert caplog.messages == [SAID]
    assert cached(tmp_path) == []


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_cache_is_made_anew(
    suffix: str, double: Double, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    double()(2)
    for path in cached(tmp_path):
        if path.suffix == suffix:
            path.write_bytes(b"hello")
    assert double()(2) == 4
    assert caplog.messages == [SAID]
    caplog.clear()
    compiling._say.cache_clear()
    assert double()(2) == 4
    assert caplog.messages == []
