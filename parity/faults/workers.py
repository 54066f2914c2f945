"""Jobs on several processes, one thread each: on small maps, two processes are many times faster than two threads."""

import multiprocessing
import os
import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from parity.faults.campaign import Job, Setting, named, run
from parity.faults.record import Outcome

# What a trial on Large takes, in those on Mobile.
LARGE = 5
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def in_processes(todo: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """The outcomes of all jobs as they come; those that take several threads last, in one process alone.

    Raises RuntimeError if a process ends before its jobs are done.
    """
    alone = [job for job in todo if named()[job.name].threads > 1]
    yield from _outcomes(deal([job for job in todo if job not in alone], workers))
    yield from _outcomes(deal(alone, 1))


def _outcomes(parts: Sequence[Sequence[Job]]) -> Iterator[Outcome]:
    """The outcomes of each process's jobs."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Outcome] = context.Queue()
    processes = [context.Process(target=_work, args=(part, results), daemon=True) for part in parts if part]
    with _environment():
        for process in processes:
            process.start()
    left = sum(map(len, parts))
    while left:
        try:
            yield results.get(timeout=1)
            left -= 1
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise RuntimeError("a process that runs trials has ended; what it said is above") from None


@contextmanager
def _environment() -> Iterator[None]:
    """What OpenMP reads when a process loads the frameworks, which is before it can be told anything else."""
    usual = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ |= ENVIRONMENT
    try:
        yield
    finally:
        for name, value in usual.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def deal(todo: Sequence[Job], workers: int) -> list[list[Job]]:
    """The jobs of each process: all of one setting to the same, the largest settings first to who has least."""
    groups: dict[Setting, list[Job]] = {}
    for job in todo:
        groups.setdefault(job.setting, []).append(job)
    parts: list[list[Job]] = [[] for _ in range(workers)]
    for group in sorted(groups.values(), key=_weight, reverse=True):
        min(parts, key=_weight).extend(group)
    return parts


def _weight(part: Sequence[Job]) -> int:
    return sum(LARGE if job.setting.network.variant == "large" else 1 for job in part)


def _work(part: Sequence[Job], results: "multiprocessing.Queue[Outcome]") -> None:
    """Runs in the other process; ends with the one that started it, however that ends."""
    parent = multiprocessing.parent_process()
    for outcome in run(part, threads=1):
        if parent is None or not parent.is_alive():
            return
        results.put(outcome)
