"""Large at 331, one image, two threads: the port and its inference form against everything else that runs PNASNet-5.

    PNASNET_PYTORCH=CHECKOUT python -m benchmarks.speed [--rounds N] [--leave-out NAME ...] [--python NAME=PATH ...]

Each contender has a process, and all take turns, in another order in each round, so that whatever else the machine
does hits them alike. Before they are timed, all must give the same logits. What cannot run is named with the reason.
Beside them a plain matrix product, as the machine's limit.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, EAGER, FORM, LIMIT, PORT, PRODUCT, PRODUCTS, SIDE, THREADS, WEIGHTS

# Furthest distance of logits from the port's, relative to its largest. The known port pads symmetrically: it is another
# network where a map is even, as at 331.
TOLERANCE = 1e-3
OTHER_PADDING = ("known port", "known port, channels_last")
CALL = "import sys; from pathlib import Path; from benchmarks import {0}; {0}.{1}(*map(Path, sys.argv[1:]))"
PAUSE = 0.05  # seconds in which the threads of the contender before stop waiting for work


def multiply_adds() -> int:
    """Of all convolutions and the fully connected layer, for one image."""
    import torch

    from pnasnet_torch import pnasnet_large

    total = 0

    def add(module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * module.get_parameter("weight")[0].numel()

    with torch.device("meta"):
        model = pnasnet_large().eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                module.register_forward_hook(add)
        model(torch.empty(1, 3, SIDE, SIDE))
    return total


def call(python: str, module: str, function: str, *paths: Path) -> list[str]:
    """The command for another process."""
    return [python, "-c", CALL.format(module, function), *map(str, paths)]


class Contender:
    """A process that computes a forward whenever it is asked."""

    def __init__(self, name: str, folder: Path, python: str) -> None:
        self.seconds: list[float] = []
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # open as long as the process runs
        self._process = subprocess.Popen(
            call(python, "speed", "work", folder, Path(name)),
            env=os.environ | {"OMP_NUM_THREADS": str(THREADS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self) -> Any:
        """The first time the logits, then the seconds that a forward took. Raises RuntimeError, with its last words."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            print(file=self._process.stdin, flush=True)
        if line := self._process.stdout.readline():
            return json.loads(line)
        self._errors.seek(0)
        raise RuntimeError(self._errors.read().strip().rpartition("\n")[2])

    def end(self) -> None:
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


def work(folder: Path, name: Path) -> None:
    """A contender's process: answers each line from its standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    forward = CONTENDERS[str(name)](folder)
    forward()
    for turn, _ in enumerate(sys.stdin):
        start = time.perf_counter()
        output = forward()
        seconds = time.perf_counter() - start
        print(json.dumps(seconds if turn else output.ravel()[:1001].tolist()), file=answers, flush=True)


def prepared(folder: Path) -> None:
    """Fills the folder unless it is, in processes of their own, whose memory is free again."""
    if (folder / WEIGHTS).exists():
        return
    subprocess.run(call(sys.executable, "contenders", "prepare", folder), check=True, stderr=subprocess.DEVNULL)
    exported = subprocess.run(call(sys.executable, "contenders", "export", folder), capture_output=True, text=True)
    if exported.returncode:
        print(f"no ONNX file: {exported.stderr.strip().splitlines()[-1]}", flush=True)


def started(names: list[str], folder: Path, pythons: dict[str, str]) -> dict[str, Contender]:
    """Those that run and give the port's logits. Says how far they are off, or what is the matter."""
    running, logits = {}, {}
    for name in names:
        running[name] = Contender(name, folder, pythons.get(name, sys.executable))
        try:
            logits[name] = np.array(running[name].ask())
            if name != LIMIT:
                compare(name, logits[name], logits[PORT])
        except RuntimeError as error:
            print(f"{name}: NOT MEASURED: {error}", flush=True)
            running.pop(name).end()
    return running


def compare(name: str, logits: np.ndarray, expected: np.ndarray) -> None:
    """Logits count up to a constant. Raises RuntimeError where a contender computes something else."""
    logits, expected = logits - logits.mean(), expected - expected.mean()
    found = np.abs(logits - expected).max() / np.abs(expected).max()
    if not found <= TOLERANCE and name not in OTHER_PADDING:
        raise RuntimeError(f"its logits differ from the port's by {found:.1e} of the largest")
    print(f"{name}: logits within {found:.1e} of the port's largest", flush=True)


def table(seconds: dict[str, np.ndarray], operations: int) -> None:
    per_second = {name: operations / np.median(times) / 1e9 for name, times in seconds.items()}
    per_second[LIMIT] = 2 * PRODUCTS * PRODUCT**3 / np.median(seconds[LIMIT]) / 1e9
    print("| | seconds, median (least) | GFLOP/s | of the limit | times the inference form, median of the rounds |")
    print("| --- | --- | --- | --- | --- |")
    for name, times in seconds.items():
        kind = f"{name} (eager)" if name in EAGER else name
        ratio = "" if name == LIMIT else f"{np.median(times / seconds[FORM]):.2f}"
        share = per_second[name] / per_second[LIMIT]
        print(
            f"| {kind} | {np.median(times):.3f} ({times.min():.3f}) | {per_second[name]:.1f} | {share:.0%} | {ratio} |"
        )


def measure(folder: Path, names: list[str], pythons: dict[str, str], rounds: int) -> None:
    prepared(folder)
    contenders = started(names, folder, pythons)
    order = random.Random(0)
    for _ in range(rounds):
        for contender in order.sample([*contenders.values()], len(contenders)):
            time.sleep(PAUSE)
            contender.seconds.append(contender.ask())
    for contender in contenders.values():
        contender.end()
    operations = 2 * multiply_adds()
    print(f"{operations / 1e9:.1f} GFLOP, {rounds} rounds, {THREADS} threads")
    table({name: np.array(contender.seconds) for name, contender in contenders.items()}, operations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of one forward of each (default: 9)")
    parser.add_argument("--leave-out", action="append", default=[], metavar="NAME", choices=[*CONTENDERS])
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH", help="another interpreter for one"
    )
    parser.add_argument("--folder", type=Path, help="keeps what is prepared there, or finds it there")
    options = parser.parse_args()
    names = [name for name in CONTENDERS if name in (LIMIT, PORT, FORM) or name not in options.leave_out]
    pythons = dict(pair.split("=", 1) for pair in options.python)
    with tempfile.TemporaryDirectory() as folder:
        measure(options.folder or Path(folder), names, pythons, options.rounds)


if __name__ == "__main__":
    main()
