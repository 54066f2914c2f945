"""`pytest parity` on a quiet machine, and beside processes that compute on half of its processors.

What they take explains a time up to as many times as long as the machine has more processors than are left. Usage:
python benchmarks/busy.py [--runs N] [ARGUMENT ...]

Arguments are pytest's; without any, the layers of cell_5 are judged, and then all by the golden digests.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from parity.core.machine import processors

SUITE = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "parity")
SELECTIONS = (("-k", "cell_5"), ("-k", "exact", "--reference", "golden"))
COMPUTE = "while True: pass"


@contextmanager
def others(count: int) -> Iterator[None]:
    """Let so many processes compute meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-c", COMPUTE]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(arguments: Sequence[str]) -> float:
    """How long `pytest parity` takes with these arguments, from start to end."""
    start = time.perf_counter()
    subprocess.run([*SUITE, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (default: 3)")
    options, arguments = parser.parse_known_args()
    count = processors()
    taken = max(1, count // 2)
    explained = count / max(1, count - taken)
    for selection in [arguments] if arguments else SELECTIONS:
        seconds(selection)  # fills the caches
        ratios = []
        for _ in range(options.runs):
            quiet = seconds(selection)
            with others(taken):
                busy = seconds(selection)
            ratios.append(busy / quiet)
            print(f"{shlex.join(selection)}: quiet {quiet:.1f} s, busy {busy:.1f} s", flush=True)
        ratio = statistics.median(ratios)
        print(
            f"median {ratio:.2f} times, with {taken} of {count} processors taken, which explain {explained:.2f} times"
        )


if __name__ == "__main__":
    main()
