"""What a session judges, in order, with the official values that are computed ahead of it."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from parity.core.pinning import SIDE_THREADS, pin_torch
from parity.gates.ahead import Ahead
from parity.gates.context import NetworkContext
from parity.gates.gate import Gate, Values

# What is made of a job.
Judged = TypeVar("Judged")
Judge = Callable[["Job", Ahead], Judged]
# Each job, in order, with what returns what is made of it.
AllJudged = Generator[tuple["Job", Callable[[], Judged]]]


@dataclass
class Job:
    """A gate of one network, whose last one it is or not, and its official values once these were begun."""

    gate: Gate
    context: NetworkContext
    is_last: bool = False
    official: Ahead | None = None


class Jobs:
    """Jobs in order: while one is judged, the official values of those behind it are computed, if `threaded`."""

    def __init__(self, jobs: Sequence[Job], threaded: bool) -> None:
        self._jobs = jobs
        self._threaded = threaded
        # The official values that were begun last.
        self._latest: Ahead | None = None

    def __iter__(self) -> Iterator[tuple[Job, Ahead]]:
        """Yield each job with its official values, which were begun, and so were those behind it."""
        for place, job in enumerate(self._jobs):
            official = self._begin(job)
            if not job.gate.is_alone:
                self._begin_all(self._jobs[place + 1 :])
            yield job, official

    def _begin_all(self, jobs: Sequence[Job]) -> None:
        """Begin the official values of the jobs up to one that is to be alone."""
        for job in jobs:
            if job.gate.is_alone:
                return
            if job.gate.runs_ahead:
                self._begin(job)

    def _begin(self, job: Job) -> Ahead:
        """Begin the official values of a job, where they were not, and return them."""
        if job.official is None:
            is_threaded = self._threaded and job.gate.runs_ahead
            job.official = Ahead(self._official(job), is_threaded, self._latest)
            if is_threaded:
                self._latest = job.official
        return job.official

    def _official(self, job: Job) -> Values:
        """Yield the official values of a job, and free the official networks of its network behind the last of them."""
        later = self._jobs[self._jobs.index(job) + 1 :]
        is_last = not any(other.gate.runs_ahead and other.context is job.context for other in later)
        try:
            yield from job.gate.official()
        finally:
            if is_last:
                job.context.release_official()

    def close(self) -> None:
        """Free what was begun, and all networks."""
        for job in self._jobs:
            if job.official:
                job.official.close()
            job.context.release()


def one_by_one(jobs: Jobs, judge: Judge[Judged]) -> AllJudged[Judged]:
    """Judge each of the jobs when it is asked for."""
    for job, official in jobs:
        yield job, partial(judge, job, official)


def in_threads(jobs: Jobs, judge: Judge[Judged], threads: int) -> AllJudged[Judged]:
    """Judge so many of the jobs at once, the first ones first."""
    # PyTorch has a number of threads for each thread that it is called from.
    with ThreadPoolExecutor(threads, initializer=pin_torch, initargs=(SIDE_THREADS,)) as pool:
        begun = [(job, pool.submit(judge, job, official)) for job, official in jobs]
        try:
            for job, future in begun:
                yield job, future.result
        finally:
            # What nobody asks for any more.
            pool.shutdown(cancel_futures=True)
