"""Judges the port on ARM: by emulation on another processor, natively on an ARM. Exits with 0 if all of it passed.

    python benchmarks/arm.py [--only golden] [--cpu NAME ...] [--trace FILE.h5] [--docs]

golden      the official integer network's stored digests: every layer of the small networks of both variants, 0 ULP
trace       what TensorFlow computed on another processor, for Mobile at 97x131: all gates, among them float64, float32
            and the preprocessing of photographs
preprocess  the tests of the preprocessing, with the pinned digests of what TensorFlow computes

The emulation needs Linux, qemu-user, apt-get, dpkg and 1.3 GB, and no root. It downloads Debian 12's Python for arm64
and the wheels of requirements/arm.txt once, and proves what PyTorch's and NumPy's code for ARM computes. It proves
nothing of the speed, nor of a system other than Linux.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # so that it runs as a script, too

from benchmarks import arm_system
from benchmarks.arm_checks import KERNELS, KINDS, NEON, PYTEST, SMALL, SVE, TRACE, checks, page, run, table
from benchmarks.arm_system import CHECKOUT, Machine, MissingError
from parity.core.machine import cpu as this_cpu
from tf_reference.cache import cache_root

PAGE = CHECKOUT / "docs/arm.md"
RECORD = ("pytest", *SMALL, "--record")


def say(words: str) -> None:
    print(f"arm: {words}", flush=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/arm.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=KINDS, help="this check; repeatable (default: all)")
    parser.add_argument(
        "--cpu",
        action="append",
        metavar="NAME",
        help=f"a processor of the emulator (qemu-aarch64 -cpu help); repeatable (default: {SVE}, on which PyTorch uses "
        f"its kernels for SVE, and {NEON}, which has no SVE)",
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE.h5",
        help=f"the trace, from `{' '.join(RECORD)} FILE.h5` (default: recorded here, which takes TensorFlow)",
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="what is unpacked lies there (default: in the project's cache folder)"
    )
    parser.add_argument("--sources", type=Path, metavar="FILE", help="a sources.list of Debian 12 (default: apt's own)")
    parser.add_argument(
        "--docs",
        type=Path,
        nargs="?",
        const=PAGE,
        metavar="FILE.md",
        help="also write the table into this page (default: docs/arm.md)",
    )
    return parser.parse_args(arguments)


def check_trace(path: Path | None) -> None:
    """Raise MissingError where there is neither a trace nor what makes one."""
    if path and not path.is_file():
        raise MissingError(f"--trace {path}: there is no such file")
    if not path and importlib.util.find_spec("tensorflow") is None:
        raise MissingError(
            "TensorFlow is not installed here, so no trace can be recorded: install it (pip install -e '.[parity]'), "
            f"or give one that was made elsewhere by `{' '.join(RECORD)} FILE.h5` with --trace FILE.h5, or leave that "
            "check out, --only golden --only preprocess"
        )


def record(folder: str) -> Path:
    """Record the trace with this machine's Python and TensorFlow. Raises MissingError where that fails."""
    trace = Path(folder) / "trace.h5"
    say(f"recording a trace on this machine: {' '.join(RECORD)} {trace}")
    command = [sys.executable, *PYTEST, *SMALL, f"--record={trace}"]
    if subprocess.run(command, cwd=CHECKOUT).returncode or not trace.exists():
        raise MissingError("the trace could not be recorded: see above what pytest says")
    return trace


def machines(options: argparse.Namespace) -> list[Machine]:
    """Return the processors to judge on, each with a Python that starts. Raises MissingError where one has none."""
    if arm_system.is_arm():
        if options.cpu:
            raise MissingError("--cpu is for the emulator: this machine is an ARM, and judges as what it is")
        return [arm_system.native(this_cpu())]
    arm_system.require_emulator()
    root: Path = options.root or cache_root() / "arm"
    system, site = arm_system.unpack(root.resolve(), options.sources, say)
    emulated = [arm_system.emulated(cpu, system, site) for cpu in dict.fromkeys(options.cpu or KERNELS)]
    for machine in emulated:
        arm_system.check_start(machine)
    return emulated


def about() -> str:
    """Say what ran the checks."""
    if arm_system.is_arm():
        return f"Run on {this_cpu()}."
    return f"Emulated by {arm_system.require_emulator()} on {this_cpu()}."


def judge(options: argparse.Namespace) -> int:
    """Run all checks on all processors and print the table; 1 if one of them did not pass."""
    if options.docs and options.only:
        raise MissingError("--docs writes what a whole run found: it cannot go with --only")
    kinds = options.only or KINDS
    if TRACE in kinds:
        check_trace(options.trace)
    judging, outcomes = machines(options), []
    with ExitStack() as stack:
        trace: Path | None = options.trace and options.trace.resolve()
        if TRACE in kinds and not trace:
            trace = record(stack.enter_context(tempfile.TemporaryDirectory()))
        todo = [(machine, check) for machine in judging for check in checks(kinds, trace)]
        for number, (machine, check) in enumerate(todo, 1):
            say(f"{number} of {len(todo)}: {check.name}, on {machine.cpu}")
            outcomes.append(run(check, machine))
            say(f"  {outcomes[-1].problem or 'passed'}, {outcomes[-1].seconds:.0f} s")
    print(table(outcomes), end="")
    if options.docs:
        options.docs.write_text(page(outcomes, about()))
        say(f"wrote {options.docs}")
    return int(any(outcome.problem for outcome in outcomes))


def main() -> int:
    try:
        return judge(parse())
    except MissingError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main())
