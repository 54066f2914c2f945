"""Values that are computed ahead: in which order, how many, and what becomes of errors."""

from collections.abc import Generator, Hashable
from threading import Event
from typing import Any

import numpy as np
import pytest

from parity.gates import ahead
from parity.gates.ahead import Ahead
from tests.waiting import DEADLINE

NAMES = tuple("abcdef")
BOTH = pytest.mark.parametrize("threaded", [True, False], ids=["thread", "none"])


def values(log: list[str], fails_at: str = "") -> Generator[tuple[Hashable, Any]]:
    """Yield an array of 80 bytes by each name, and note what happens."""
    try:
        for name in NAMES:
            if name == fails_at:
                raise ValueError(f"planted at {name}")
            log.append(name)
            yield name, np.full(10, ord(name), np.float64)
    finally:
        log.append("closed")


@BOTH
def test_each_value_is_given_once_in_any_order(threaded: bool) -> None:
    official = Ahead(values([]), threaded)
    for name in reversed(NAMES):
        assert official.take(name)[0] == ord(name)
    with pytest.raises(KeyError):
        official.take("a")
    official.close()


@BOTH
def test_an_error_comes_to_who_takes_what_was_not_computed(threaded: bool) -> None:
    official = Ahead(values([], fails_at="c"), threaded)
    assert official.take("b")[0] == ord("b")
    for name in ("c", "f"):
        with pytest.raises(ValueError, match="planted at c"):
            official.take(name)
    assert official.take("a")[0] == ord("a")
    official.close()


def test_without_a_thread_nothing_is_computed_before_it_is_asked_for() -> None:
    log: list[str] = []
    official = Ahead(values(log))
    assert log == []
    official.take("b")
    assert log == ["a", "b"]
    official.close()
    assert log == ["a", "b", "closed"]


def test_a_thread_holds_no_more_than_it_may_unless_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "WAITING", 160)
    log: list[str] = []
    reached, go_on = Event(), Event()

    def watched() -> Generator[tuple[Hashable, Any]]:
        for name, value in values(log):
            if name == "c":
                reached.set()
                assert go_on.wait(DEADLINE)
            yield name, value

    official = Ahead(watched(), threaded=True)
    # Two values fill it, and nobody waits for a third.
    assert not reached.wait(0.2)
    go_on.set()
    assert official.take("e")[0] == ord("e")
    assert log[:5] == list("abcde")
    assert "f" not in log
    for name in "abcd":
        official.take(name)
    assert official.take("f")[0] == ord("f")
    official.close()


def test_closing_ends_the_thread_and_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "WAITING", 80)
    log: list[str] = []
    official = Ahead(values(log), threaded=True)
    official.take("a")
    official.close()
    official.close()
    assert log[-1] == "closed"
    assert "f" not in log


@BOTH
def test_what_nobody_takes_is_computed_where_that_is_asked_for(threaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "WAITING", 80)
    log: list[str] = []
    official = Ahead(values(log), threaded)
    official.take("b")
    official.finish()
    assert log == [*NAMES, "closed"]
    official.close()


@BOTH
def test_an_error_in_what_nobody_takes_is_raised(threaded: bool) -> None:
    official = Ahead(values([], fails_at="c"), threaded)
    official.take("a")
    with pytest.raises(ValueError, match="planted at c"):
        official.finish()
    official.close()


def test_one_comes_after_the_other() -> None:
    """They may use the same session."""
    log: list[str] = []
    first = Ahead(values(log), threaded=True)
    second = Ahead(values(log), threaded=True, after=first)
    for official in (second, first):
        for name in NAMES:
            official.take(name)
        official.close()
    assert log == [*NAMES, "closed"] * 2
