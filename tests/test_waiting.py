"""A wait ends at its deadline, or with the process that is waited for, and says what the process said."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import Running, run, running

HANGS = (sys.executable, "-c", "import time; print('I hang', flush=True); time.sleep(60)")
ENDS = (sys.executable, "-c", "print('I end'); raise SystemExit(3)")


def has_said(process: Running, word: str) -> None:
    process.wait_until(lambda: word in process.said)


def test_a_command_that_ends_is_told_by_its_code_and_words() -> None:
    assert run(*ENDS) == (3, "I end\n")


def test_a_process_that_ends_is_not_waited_for_any_longer() -> None:
    with running(*ENDS) as process, pytest.raises(pytest.fail.Exception, match=r"ended with 3 before(.|\n)*I end"):
        process.wait_until(lambda: False)


def test_no_wait_outlasts_its_deadline() -> None:
    with running(*HANGS) as process:
        has_said(process, "I hang")
        with pytest.raises(pytest.fail.Exception, match=r"has not come to .* within 0\.1 s; it said:\nI hang"):
            process.wait_until(lambda: False, deadline=0.1)
        with pytest.raises(pytest.fail.Exception, match=r"still runs after 0\.1 s; it said:\nI hang"):
            process.finish(deadline=0.1)


def test_a_crash_is_no_end() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"crashed; it said:\n(.|\n)*ZeroDivisionError"):
        run(sys.executable, "-c", "1 / 0")


def test_a_process_that_ended_before_it_was_killed() -> None:
    with running(*ENDS) as process:
        process.finish()
        with pytest.raises(pytest.fail.Exception, match="ended with 3 before it was killed"):
            process.kill()


def test_nothing_outlives_a_test_that_fails(tmp_path: Path) -> None:
    """Neither the process nor what that started."""
    child = "import os, time; print('child', os.getpid(), flush=True); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(ZeroDivisionError), running(sys.executable, "-c", code) as process:  # noqa: PT012
        has_said(process, "child")
        pid = int(process.said.split()[1])
        raise ZeroDivisionError
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end, f"{pid} of {os.getpid()} still runs"
        time.sleep(0.01)
