"""What recording costs, and how long the golden digests take: whole processes, run in turn.

Run on a quiet machine, from the root: python benchmarks/stored.py [pairs]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARITY = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "parity")


def seconds(*arguments: str) -> float:
    """How long `pytest parity` takes with these arguments, from start to end."""
    start = time.perf_counter()
    subprocess.run([*PARITY, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(pairs: int) -> None:
    seconds("-k", "conv0_bn")  # fills the caches
    golden = [seconds("-k", "exact", "--reference", "golden") for _ in range(pairs)]
    print(f"golden digests: {', '.join(f'{one:.1f}' for one in golden)} s")
    ratios = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        trace = Path(folder) / "full.h5"
        for _ in range(pairs):
            plain, recorded = seconds(), seconds("--record", str(trace))
            size = trace.stat().st_size / 1e9
            judged = seconds("--reference", str(trace))
            trace.unlink()
            ratios.append(recorded / plain)
            print(
                f"all gates: {plain:.1f} s; recorded, {size:.1f} GB: {recorded:.1f} s, {ratios[-1]:.2f} times; "
                f"judged by the trace: {judged:.1f} s"
            )
    print(f"recording, median: {statistics.median(ratios):.2f} times")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=int, nargs="?", default=3, help="of runs, plain and recorded (default: 3)")
    main(parser.parse_args().pairs)
