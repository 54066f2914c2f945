"""What a session judges, in order, with the official values that are computed ahead of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parity.gates.ahead import Ahead
from parity.gates.context import NetworkContext
from parity.gates.gate import Gate


@dataclass
class Job:
    """A gate of one network, whose last one it is or not, and its official values once these were begun."""

    gate: Gate
    context: NetworkContext
    is_last: bool = False
    official: Ahead | None = None


class Jobs:
    """Jobs in order: while one is judged, the official values of the next that has some are computed, if `threaded`."""

    def __init__(self, jobs: Sequence[Job], threaded: bool) -> None:
        self._jobs = jobs
        self._threaded = threaded
        # The official values that were begun last.
        self._latest: Ahead | None = None

    def __iter__(self) -> Iterator[tuple[Job, Ahead]]:
        """Yield each job with its official values, which were begun, and so were the next ones."""
        for place, job in enumerate(self._jobs):
            official = self._begin(job)
            if not job.gate.is_alone:
                self._begin_first(self._jobs[place + 1 :])
            yield job, official

    def _begin_first(self, jobs: Sequence[Job]) -> None:
        """Begin the official values of the first job that has some, unless one before it is to be alone."""
        for job in jobs:
            if job.gate.runs_ahead:
                self._begin(job)
            if job.gate.runs_ahead or job.gate.is_alone:
                return

    def _begin(self, job: Job) -> Ahead:
        """Begin the official values of a job, where they were not, and return them."""
        if job.official is None:
            is_threaded = self._threaded and job.gate.runs_ahead
            job.official = Ahead(job.gate.official(), is_threaded, self._latest)
            if is_threaded:
                self._latest = job.official
        return job.official

    def close(self) -> None:
        """Free what was begun, and all networks."""
        for job in self._jobs:
            if job.official:
                job.official.close()
            job.context.release()
