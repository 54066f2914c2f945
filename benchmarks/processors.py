"""Whether a green run means the same on every processor: the gates under the instruction sets that can be chosen here.

Each setting runs in a process of its own: the sound port, the harmless variations and a sample of the faults, judged
as `pytest parity` judges them. No alarm may be raised, and every fault has to be caught and put at its layers.

  python benchmarks/processors.py            writes this processor's rows into docs/processors.md (20 to 40 minutes)
  python benchmarks/processors.py --quick    two settings and a few trials, and writes nothing (2 minutes)
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

DOCS = Path(__file__).parents[1] / "docs" / "processors.md"
# What PyTorch calls the kernels that it was built for, in rising order; on other architectures it has others.
CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")
FAULTS, QUICK_FAULTS, SEED = 16, 3, 1
QUICK_VARIATIONS = ("batch norms folded", "max-pool by hand", "1 threads, channels_last, oneDNN on")
# A process that is this late hangs.
DEADLINE = 3600
HEAD = """\
# Processors

`python benchmarks/processors.py` runs the gates on the sound port, every harmless variation and a sample of the faults,
under the instruction sets that can be chosen on one machine, each in a process of its own, on Mobile at 65x65 and, of
the faults, 65x67. PyTorch's kernels are chosen by `ATEN_CPU_CAPABILITY`, oneDNN's by `ONEDNN_MAX_CPU_ISA`, MKL's by
`MKL_ENABLE_INSTRUCTIONS`; TensorFlow's cannot be. Each run replaces the rows of the processor that it was run on.
"""
COLUMNS = ("setting", "PyTorch's kernels", "threads", "variations", "alarms", "faults", "caught", "at their layers")


@dataclass(frozen=True)
class Setting:
    """What a process is started with."""

    variable: str = ""
    value: str = ""
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.variable}={self.value}" if self.variable else "as it is"

    @property
    def environment(self) -> dict[str, str]:
        chosen = {self.variable: self.value} if self.variable else {}
        return os.environ | {"OMP_NUM_THREADS": str(self.threads)} | chosen


@dataclass(frozen=True)
class Row:
    """What came of a setting; `wrong` are the outcomes that should not be, in words."""

    setting: str
    kernels: str
    threads: int
    variations: int
    alarms: int
    faults: int
    caught: int
    placed: int
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.wrong and self.variations > 0 and self.caught == self.placed == self.faults > 0


def settings(capability: str, quick: bool) -> list[Setting]:
    """Those that a processor with PyTorch's kernels of this `capability` has."""
    if capability not in CAPABILITIES:
        return [Setting(), Setting(threads=2)]
    if quick:
        return [Setting("ATEN_CPU_CAPABILITY", "default"), Setting("ONEDNN_MAX_CPU_ISA", "SSE41")]
    lower = CAPABILITIES[: CAPABILITIES.index(capability) + 1]
    found = [Setting(), *(Setting("ATEN_CPU_CAPABILITY", name.lower()) for name in lower)]
    isas = {"DEFAULT": ["SSE41"], "AVX2": ["AVX", "AVX2"], "AVX512": ["AVX512_CORE", "AVX512_CORE_VNNI"]}
    found += [Setting("ONEDNN_MAX_CPU_ISA", isa) for name in lower for isa in isas[name]]
    found += [Setting("MKL_ENABLE_INSTRUCTIONS", name) for name in ("SSE4_2", "AVX2", "AVX512")[: len(lower)]]
    return [*found, Setting(threads=2), Setting(threads=4)]


def judge(threads: int, quick: bool) -> Row:
    """Runs the trials in this process."""
    import torch

    from parity.faults import __main__ as campaign_command
    from parity.faults.campaign import EVEN, WIDE, jobs, named, run, sample
    from parity.faults.fault import Fault

    every = [job for job in jobs() if job.setting in (EVEN, WIDE) and job.name != "torch.compile"]
    is_fault = {job: isinstance(named()[job.name], Fault) for job in every}
    # Variations that set a number of threads are tried in the process that has as many.
    with_threads = [job for job in every if re.match(r"\d threads", job.name)]
    others = {job for job in with_threads if named()[job.name].threads != threads}
    harmless = [job for job in every if not is_fault[job] and job not in others]
    if quick:
        harmless = [job for job in harmless if job.name in QUICK_VARIATIONS]
    faults = sample([job for job in every if is_fault[job]], QUICK_FAULTS if quick else FAULTS, SEED)
    chosen = sorted([*harmless, *faults], key=every.index)
    outcomes = list(run(chosen, threads))
    planted = [outcome for outcome in outcomes if outcome.expected]
    varied = [outcome for outcome in outcomes if not outcome.expected]
    return Row(
        setting="",
        kernels=torch.backends.cpu.get_cpu_capability(),
        threads=threads,
        variations=len(varied),
        alarms=sum(bool(outcome.gates) for outcome in varied),
        faults=len(planted),
        caught=sum(bool(outcome.gates) for outcome in planted),
        placed=sum(outcome.right for outcome in planted),
        wrong=tuple(campaign_command.describe(outcome) for outcome in outcomes if not outcome.right),
    )


def in_process(setting: Setting, quick: bool) -> Row:
    """Runs a setting's trials in a process of its own. Raises SystemExit where that ends otherwise than it should."""
    arguments = [sys.executable, __file__, f"--judge={setting.threads}", *(["--quick"] if quick else [])]
    done = subprocess.run(
        arguments, env=setting.environment, stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=False
    )
    if done.returncode:
        raise SystemExit(f"{setting}, {setting.threads} threads: the process ended with {done.returncode}")
    content = json.loads(done.stdout.splitlines()[-1])
    return Row(**content | {"setting": str(setting), "wrong": tuple(content["wrong"])})


def table(processor: str, versions: str, rows: Sequence[Row]) -> str:
    """A processor's part of the document."""
    lines = [f"## {processor}", "", f"{versions}.", "", f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|"]
    for row in rows:
        cells = (row.setting, row.kernels, row.threads, row.variations, row.alarms, row.faults, row.caught, row.placed)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def replaced(document: str, processor: str, part: str) -> str:
    """The document with this `part` for the processor, in the place of the one that it may have had."""
    parts = dict(_parts(document)) | {processor: part}
    return "\n".join([HEAD, *(parts[name] for name in sorted(parts))])


def _parts(document: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^(?=## )", document, flags=re.MULTILINE)[1:]:
        yield part.partition("\n")[0].removeprefix("## "), part.rstrip("\n") + "\n"


def main(options: argparse.Namespace) -> int:
    import torch

    from parity.core.machine import FRAMEWORKS, cpu, version

    chosen = settings(torch.backends.cpu.get_cpu_capability(), options.quick)
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("", total=len(chosen))
        for setting in chosen:
            progress.update(task, description=f"{setting}, {setting.threads} threads")
            started = time.monotonic()
            rows.append(row := in_process(setting, options.quick))
            took = time.monotonic() - started
            verdict = "passes" if row.passed else "FAILS"
            counts = f"{row.alarms} alarms in {row.variations} variations, {row.placed} of {row.faults} faults placed"
            what = f"{setting}, {row.threads} threads ({row.kernels})"
            progress.console.print(f"{what}: {verdict}, {counts}, {took:.0f} s")
            for line in row.wrong:
                progress.console.print(f"  {line}")
            progress.advance(task)
    if not options.quick:
        versions = ", ".join(f"{name} {version(name)}" for name in FRAMEWORKS)
        old = DOCS.read_text() if DOCS.exists() else ""
        DOCS.write_text(replaced(old, cpu(), table(cpu(), versions, rows)))
    return 0 if all(row.passed for row in rows) else 1


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="two settings and a few trials; writes nothing")
    made.add_argument("--judge", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    given: argparse.Namespace = parser().parse_args()
    if given.judge:
        print(json.dumps(asdict(judge(given.judge, given.quick))))
        sys.exit()
    sys.exit(main(given))
