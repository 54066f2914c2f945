"""The pytest plugin that benchmarks/arm.py gives each check: it counts the outcomes and names PyTorch's kernels.

It runs in the Python that is emulated: `pytest -p benchmarks.arm_inside --arm-outcome FILE.json`.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

OPTION = "--arm-outcome"


def pytest_addoption(parser: pytest.Parser) -> None:
    # Not `required`: pytest reads the command line several times, and with all of its options only the last time.
    parser.addoption(OPTION, type=Path, help="file to write the outcome into")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Counting(config.getoption("arm_outcome")))


class Counting:
    """Count the items that passed, and whatever did not: what failed, and what was skipped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._counts[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Write the counts, and which kernels PyTorch chose for this processor."""
        import torch

        kernels = torch.backends.cpu.get_cpu_capability()
        self._file.write_text(json.dumps({"kernels": kernels, **self._counts}))
