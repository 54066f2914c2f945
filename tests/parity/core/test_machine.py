"""What of a machine a process may use, and what is set there that changes bits."""

import os
from pathlib import Path

import pytest

from parity.core import machine
from parity.core.machine import default_threads, environment_settings, memory, processors


def test_only_the_processors_that_the_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(machine, "_quotas", list)
    assert processors() == 3


@pytest.mark.parametrize(("quotas", "number"), [([2.5, 8], 2), ([0.5], 1), ([64], 3)])
def test_a_quota_gives_no_more_than_its_time(quotas: list[float], number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(machine, "_quotas", lambda: quotas)
    assert processors() == number


@pytest.mark.parametrize(("value", "threads"), [("1", 1), ("2,1", 2), ("64", 3), ("0", 3), ("many", 3), ("", 3)])
def test_no_more_threads_than_openmp_may_have(value: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "processors", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert default_threads() == threads


def test_quotas_of_all_control_groups_above_the_process(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/cpu.max").write_text("150000 100000\n")
    (tmp_path / "a/b/cpu.max").write_text("max 100000\n")
    (tmp_path / "own").write_text("0::/a/b\n")
    assert list(machine._quotas(tmp_path, tmp_path / "own")) == [1.5]
    assert list(machine._quotas(tmp_path, tmp_path / "missing")) == []


def test_the_memory_that_the_control_groups_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of all above the process, and no more than the machine has."""
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/memory.max").write_text("max\n")
    (tmp_path / "a/memory.max").write_text("4000000000\n")
    assert list(machine._memory_limits(tmp_path, tmp_path / "own")) == [4_000_000_000]
    monkeypatch.setattr(machine, "_memory_limits", lambda: [10**18])
    unlimited = memory()
    assert 10**8 < unlimited < 10**15
    monkeypatch.setattr(machine, "_memory_limits", lambda: [10**18, 4000])
    assert memory() == 4000


def test_settings_that_change_bits_are_found() -> None:
    changing = {
        "ATEN_CPU_CAPABILITY": "default",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "NVIDIA_TF32_OVERRIDE": "1",
        "OMP_NUM_THREADS": "1",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    }
    assert environment_settings({"HOME": "/root", "GOMP_SPINCOUNT": "1", **changing}) == changing
