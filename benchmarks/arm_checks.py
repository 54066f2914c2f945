"""The checks of benchmarks/arm.py, what came of each, and the tables of it."""

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.arm_inside import OPTION
from benchmarks.arm_system import CHECKOUT, Machine
from parity.core.layers import NOT_SQUARE

GOLDEN, TRACE, PREPROCESS = KINDS = ("golden", "trace", "preprocess")
# By module, and not by its entry point: the emulated Python has a checkout, and nothing that was installed from it.
SUITE = ("-p", "no:pnasnet-parity", "-p", "parity.plugin.entry")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE)
PLUGIN = "benchmarks.arm_inside"
# The emulator's processors by default, with the kernels that PyTorch has to choose there: only then they are proven.
# PyTorch has kernels for vectors of 256 bits, as Graviton 3 has them, and takes none for the 512 bits of plain `max`.
SVE, NEON = "max,sve-default-vector-length=32", "neoverse-n1"
KERNELS = {SVE: "SVE256", NEON: "DEFAULT"}
COLUMNS = ("processor", "PyTorch's kernels", "check", "passed", "failed", "skipped", "seconds", "")


def network(variant: str, size: str) -> tuple[str, ...]:
    """Return the options that choose one network."""
    return "parity", "--variant", variant, "--image-size", size


SMALL = network("mobile", NOT_SQUARE)


@dataclass(frozen=True)
class Check:
    """What is asked of pytest."""

    kind: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a check on a processor: how many items did what, and in how many seconds."""

    cpu: str
    check: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    exit_code: int
    kernels: str = "none"

    @property
    def problem(self) -> str:
        """What is wrong, if anything: one failed, one was skipped, or nothing was judged."""
        expected = KERNELS.get(self.cpu, self.kernels)
        if self.exit_code < 0:
            return f"FAILED: ended by {signal.Signals(-self.exit_code).name}"  # SIGKILL: no memory, most often
        if self.exit_code or self.failed:
            return f"FAILED (pytest's exit code {self.exit_code})"
        if self.skipped:
            return "FAILED: some were skipped"
        if not self.passed:
            return "FAILED: nothing was judged"
        return "" if self.kernels == expected else f"FAILED: other kernels than {expected}"


def checks(kinds: Iterable[str], trace: Path | None) -> list[Check]:
    """Return the checks of these kinds; those of a `trace` need its file."""
    stored = ("-k", "exact", "--reference", "golden")
    everything = [
        Check(GOLDEN, f"golden, mobile-{NOT_SQUARE}", (*SMALL, *stored)),
        Check(GOLDEN, f"golden, large-{NOT_SQUARE}", (*network("large", NOT_SQUARE), *stored)),
        Check(TRACE, f"trace, mobile-{NOT_SQUARE}: all gates", (*SMALL, "--reference", str(trace))),
        Check(PREPROCESS, "preprocessing's digests", ("tests/pnasnet_torch/test_preprocess.py",)),
    ]
    return [check for check in everything if check.kind in kinds]


def run(check: Check, machine: Machine) -> Outcome:
    """Run the check on the machine; pytest's output goes to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        command = [*machine.python, *PYTEST, "-p", PLUGIN, f"{OPTION}={file}", *check.arguments]
        start = time.perf_counter()
        exit_code = subprocess.run(command, cwd=CHECKOUT, env=machine.environment).returncode
        seconds = time.perf_counter() - start
        said: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return Outcome(
        cpu=machine.cpu,
        check=check.name,
        passed=said.get("passed", 0),
        failed=said.get("failed", 0),
        skipped=said.get("skipped", 0),
        seconds=seconds,
        exit_code=exit_code,
        kernels=said.get("kernels", "none"),
    )


def row(outcome: Outcome) -> tuple[str, ...]:
    """Return the words of the table's row, one for each column."""
    counts = [f"{count:,}" for count in (outcome.passed, outcome.failed, outcome.skipped)]
    return outcome.cpu, outcome.kernels, outcome.check, *counts, f"{outcome.seconds:.0f}", outcome.problem or "passed"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as lines for a terminal, in columns."""
    rows = [COLUMNS, *map(row, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) for words in rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def page(outcomes: Sequence[Outcome], about: str) -> str:
    """Return the page of docs/arm.md; `about` says what ran the checks."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(row, outcomes)]
    lines = "".join(f"| {' | '.join(words)} |\n" for words in rows)
    return f"# ARM\n\nWritten by `python benchmarks/arm.py --docs`, which says what each check is. {about}\n\n{lines}"
