"""How long the training gates take, and how much memory: whole processes, caches warm.

Run on a quiet machine, from the root: python benchmarks/training.py [VARIANT ...]
"""

import argparse
import os
import subprocess
import sys
import time

PARITY = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "parity", "--training")
# Seconds, and GB where it is limited.
LIMITS = {"mobile": (90.0, None), "large": (360.0, 14.0)}


def measure(variant: str) -> tuple[float, float]:
    """Seconds from start to end, and the process's peak of memory in GB."""
    start = time.perf_counter()
    process = subprocess.Popen([*PARITY, f"--variant={variant}"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the training gates of {variant} end with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e9


def main(variants: list[str]) -> None:
    for variant in variants:
        command = [*PARITY, f"--variant={variant}", "-k", "conv0"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # fills the caches
        seconds, memory = measure(variant)
        most, largest = LIMITS[variant]
        allowed = f"{most:.0f} s" + (f" and {largest:.0f} GB" if largest else "")
        print(f"{variant}: {seconds:.0f} s, {memory:.1f} GB at the peak (to reach: {allowed})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=f"of {', '.join(LIMITS)} (default: all)")
    main(parser.parse_args().variants or list(LIMITS))
