"""How far an evaluation is: a bar on a terminal, now and then a line of text elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, TYPE_CHECKING

from parity.imagenet.record import RANKS, Answer, Failure, Record
from parity.imagenet.summary import NAMES

if TYPE_CHECKING:
    import rich.progress

log = logging.getLogger(__name__)

# Seconds between two lines where there is no terminal.
INTERVAL = 30.0
Report = Callable[[Sequence[Record], Sequence[Failure]], None]


class Meter:
    """What is evaluated of one network, how fast, and both accuracies so far."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.evaluated = 0  # images with a record, stored now or before
        self.new = 0  # images that this run is done with, failed ones among them
        self.to_do = 0  # images that this run has to do
        self.failed = 0  # images of this run that could not be evaluated
        # By side: how many are right by each of RANKS.
        self._correct: dict[str, list[int]] = {}
        self._start = time.monotonic()

    def count(self, record: Record) -> None:
        """Count an image that is done, now or before."""
        self.evaluated += 1
        for side in NAMES:
            answer: Answer | None = getattr(record, side)
            if answer:
                counts = self._correct.setdefault(side, [0] * len(RANKS))
                for place, rank in enumerate(RANKS):
                    counts[place] += answer.correct(record.label, rank)

    def start(self, to_do: int) -> None:
        """Start the clock: `to_do` images are left for this worker."""
        self.to_do = to_do
        self._start = time.monotonic()

    def add(self, records: Sequence[Record], failures: Sequence[Failure]) -> None:
        """Count a batch."""
        for record in records:
            self.count(record)
        self.new += len(records) + len(failures)
        self.failed += len(failures)

    def __str__(self) -> str:
        # A clock may not have ticked yet.
        rate = self.new / max(time.monotonic() - self._start, 1e-9)
        parts = [f"{self.new:,} of {self.to_do:,} images"]
        if rate:
            time_left = timedelta(seconds=round((self.to_do - self.new) / rate))
            parts += [f"{rate:.2f}/s", f"{time_left} left"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        for side, counts in self._correct.items():
            accuracies = " / ".join(f"{100 * count / self.evaluated:.2f}" for count in counts)
            parts.append(f"{NAMES[side]} {accuracies} %")
        return ", ".join(parts)


@contextmanager
def shown(meter: Meter, file: IO[str] | None, width: int | None = None) -> Iterator[Report]:
    """Show the meter on `file` or, if that is no terminal, in the log; yield what is to be called with each batch.

    `width` is the terminal's, where it is not that of the standard streams.
    """
    if file is not None and file.isatty():
        with _bar(file, width) as bar:
            task = bar.add_task(str(meter), total=meter.to_do, network=meter.network)

            def report(records: Sequence[Record], failures: Sequence[Failure]) -> None:
                meter.add(records, failures)
                bar.update(task, completed=meter.new, description=str(meter))

            yield report
        return
    last_line = time.monotonic()

    def log_now_and_then(records: Sequence[Record], failures: Sequence[Failure]) -> None:
        nonlocal last_line
        meter.add(records, failures)
        # The last batch is told of in any case, so that a log ends with the whole.
        if time.monotonic() - last_line >= INTERVAL or meter.new == meter.to_do:
            last_line = time.monotonic()
            log.info("%s: %s", meter.network, meter)

    yield log_now_and_then


def _bar(file: IO[str], width: int | None) -> "rich.progress.Progress":
    """Return a bar with the network's name before it and the meter's words behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    # On a narrow terminal the figures take several lines.
    columns = (
        TextColumn("{task.fields[network]}", table_column=Column(no_wrap=True)),
        BarColumn(12, table_column=Column(no_wrap=True)),
        TextColumn("{task.description}", table_column=Column(overflow="fold")),
    )
    return Progress(*columns, console=Console(file=file, width=width))
