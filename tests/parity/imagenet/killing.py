"""Kill workers that store records, at random moments, again and again, and look at what each one has left.

A program of its own, which test_store.py starts: without frameworks and threads it forks a worker in a millisecond.
"""

import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NoReturn

from parity.imagenet.record import Answer, Failure, Record
from parity.imagenet.store import Store, read_failures, read_records

STORES, KILLS = 8, 12
SIZE = 16
# A name as long as a page of the file: a batch then takes many writes, and a kill may come between any two.
NAME = "n" * 4000
FRAMEWORKS = {"tensorflow", "torch"}
# Seconds. Making a store takes some milliseconds, and so does a batch.
AT_START, AFTER_FIRST, DEADLINE = 0.004, 0.008, 30.0


def batch(number: int) -> tuple[list[Record], list[Failure]]:
    """Make up the images of a batch, of which the last one failed."""
    first = number * SIZE
    last = first + SIZE - 1
    answer = Answer((7, 1, 2, 3, 4), (first + 0.1, 4.0, 3.0, 2.0, 1.0), (0.25, -3.5))
    records = [Record(index, f"{index}{NAME}", 7, None, answer) for index in range(first, last)]
    return records, [Failure(last, f"{last}{NAME}", "is broken")]


def stored(path: Path) -> int:
    """Count the batches in the store; raises AssertionError unless they are the first ones, each whole and once."""
    failures = read_failures([path])
    expected = [batch(number) for number in range(len(failures))]
    records = list(read_records([path]))
    assert records == [record for part, _ in expected for record in part], "batches are torn or mixed"
    assert failures == [failure for _, part in expected for failure in part]
    return len(failures)


def work(path: Path, say: Callable[[], object]) -> NoReturn:
    """Store batch by batch what the store lacks, for ever, and `say` when one is stored."""
    with closing(Store(path, {"network": "mobile-224"}, 50_000, "a machine")) as store:
        for number in count(stored(path)):
            store.add(*batch(number))
            say()
    raise AssertionError("there is no last batch")


def killed(path: Path, begun: bool, delay: float) -> int:
    """Start a worker and kill it after `delay` seconds, counted from its first batch if it shall have `begun`.

    Returns how many batches the worker said to have stored. Raises AssertionError where it ended by itself.
    """
    heard, saying = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(path, lambda: os.write(saying, b"."))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(saying)
    # A worker that ends by itself closes the pipe, which wakes this process, too.
    if begun and not select.select([heard], [], [], DEADLINE)[0]:
        os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"nothing was stored within {DEADLINE:g} s")
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "a worker ended before it was killed; what it said is above"
    with open(heard, "rb") as pipe:
        return len(pipe.read())


def examine(path: Path, rng: random.Random) -> int:
    """Kill one worker after the other on a store, and count the batches that it then holds.

    Raises AssertionError where one is missing that a worker said to have stored.
    """
    before = 0
    for number in range(KILLS):
        # Every fourth is killed while it makes the store or opens it.
        begun = number % 4 > 0
        said = killed(path, begun, rng.uniform(0, AFTER_FIRST if begun else AT_START))
        now = stored(path)
        # The last batch may have been stored without a word about it.
        assert 0 <= now - before - said <= 1, f"of {before} + {said} batches {now} are there"
        before = now
    path.unlink()  # they need not lie in memory all at once
    return before


def main(folder: Path) -> None:
    """Examine some stores in `folder`; raises AssertionError where one holds what it must not."""
    assert not FRAMEWORKS & sys.modules.keys()
    rng = random.Random(0)
    batches = [examine(folder / f"worker-{number}-of-{STORES}.sqlite", rng) for number in range(STORES)]
    whole = f"{sum(batches)} batches are whole, {min(batches)} or more in each store"
    print(f"{STORES * KILLS} workers were killed; {whole}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
