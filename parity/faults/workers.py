"""Jobs on several processes, one thread each: on small maps, two processes are many times faster than two threads."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from parity.core.errors import JobError
from parity.faults.campaign import Job, Setting, named, run
from parity.faults.record import Outcome

# What a trial on Large takes, in those on Mobile.
LARGE = 5
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def in_processes(todo: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Yield the outcomes of all jobs as they come; those that take several threads last, in one process alone.

    Raises JobError if a process ends before its jobs are done.
    """
    single: list[Job] = []
    threaded: list[Job] = []
    for job in todo:
        jobs = threaded if named()[job.name].threads > 1 else single
        jobs.append(job)
    yield from _outcomes(deal(single, workers))
    yield from _outcomes(deal(threaded, 1))


def _outcomes(parts: Sequence[Sequence[Job]]) -> Iterator[Outcome]:
    """Yield the outcomes of the jobs of each process."""
    # Spawned, so that each loads the frameworks anew, in the environment that is set here.
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Outcome] = context.Queue()
    processes = []
    for part in filter(None, parts):
        process = context.Process(target=_work, args=(part, results), daemon=True)
        processes.append(process)
    with _environment():
        for process in processes:
            process.start()
    left = sum(map(len, parts))
    while left:
        # Not for longer, so that a process that was killed is noticed: it sends nothing any more.
        try:
            outcome = results.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise JobError(
                    "a process that runs trials has ended: what it said is above; one that was killed in silence "
                    "most often lacked memory, which fewer --workers take less of"
                ) from None
            continue
        yield outcome
        left -= 1


@contextmanager
def _environment() -> Iterator[None]:
    """Set what processes have from their start on: what OpenMP reads when they load the frameworks, and no Ctrl-C.

    That stops this process, which stops them; each of them would say so at length.
    """
    usual = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ |= ENVIRONMENT
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        for name, value in usual.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def deal(todo: Sequence[Job], workers: int) -> list[list[Job]]:
    """Return the jobs of each process: all of one setting to the same, the largest settings first to who has least."""
    # The official values of a setting are computed by each process that has a job of it.
    groups: dict[Setting, list[Job]] = {}
    for job in todo:
        groups.setdefault(job.setting, []).append(job)
    parts: list[list[Job]] = [[] for _ in range(workers)]
    for group in sorted(groups.values(), key=_weight, reverse=True):
        min(parts, key=_weight).extend(group)
    return parts


def _weight(part: Sequence[Job]) -> int:
    """Return how long jobs take, in trials on Mobile."""
    weight = 0
    for job in part:
        weight += LARGE if job.setting.network.variant == "large" else 1
    return weight


def _work(part: Sequence[Job], results: "multiprocessing.Queue[Outcome]") -> None:
    """Run jobs in the other process; end with the one that started it, however that ends."""
    parent = multiprocessing.parent_process()
    for outcome in run(part, threads=1):
        # A parent that was killed stops no daemon.
        if parent is None or not parent.is_alive():
            return
        results.put(outcome)
