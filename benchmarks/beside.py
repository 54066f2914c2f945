"""A command and the work that it cannot do without, whole processes in turn, as ratios."""

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence


def seconds(command: Sequence[str]) -> float:
    """How long a command takes, from start to end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(about: str | None, suite: Sequence[str], irreducible: Sequence[str], bare: Callable[[], None]) -> None:
    """Time `suite` and `irreducible`, which calls this with --bare so that `bare` is done, in turn."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (default: 3)")
    parser.add_argument("--bare", action="store_true", help="only do the irreducible work")
    options = parser.parse_args()
    if options.bare:
        bare()
        return
    seconds(suite)  # fills the caches
    ratios = []
    for _ in range(options.runs):
        taken, least = seconds(suite), seconds(irreducible)
        ratios.append(taken / least)
        print(f"suite {taken:.1f} s, irreducible {least:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")
