"""Plants every fault of the catalogue in the port, and tries every harmless variation: what the gates make of each.

Stopped or killed at any moment, the same command goes on. At the end it writes the table as faults.json and faults.md:
that of all trials into docs, that of a part of them beside the trials. It exits with 1 if a fault was missed, put at a
wrong layer, or a harmless variation raised an alarm.
"""

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from parity.core.alone import alone
from parity.core.command import FAILED, Parser, run, whole_number
from parity.core.errors import InputError
from parity.core.files import check_writable, replacing
from parity.core.machine import processors
from parity.faults.campaign import Job, jobs, sample
from parity.faults.record import Outcome, Record
from parity.faults.table import markdown, summary
from parity.faults.workers import in_processes

PROG = "pnasnet-parity faults"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials that the arguments name, and write the table; return the exit code."""
    options = parser().parse_args(arguments)
    todo = [job for job in jobs() if options.only in f"{job.setting}: {job.name}"]
    if options.sample is not None:
        todo = sample(todo, options.sample, options.seed)
    if not todo:
        raise InputError(f"--only {options.only}: no fault or variation has that in its name")
    folder = options.docs
    if folder is None:
        # The table that is published is replaced by one of all trials alone.
        folder = Path("docs") if len(todo) == len(jobs()) else options.output
    check_writable(folder)
    trials = options.output / "trials.jsonl"
    with alone(trials):
        outcomes = complete(todo, Record(trials), options.workers)
    wrong = [outcome for outcome in outcomes if not outcome.right]
    for outcome in wrong:
        print(describe(outcome))
    _write(outcomes, folder)
    return FAILED if wrong else 0


def _write(outcomes: Collection[Outcome], folder: Path) -> None:
    """Write the table of the outcomes to a folder, and print its counts."""
    data = summary(outcomes)
    with replacing(folder / "faults.json") as path:
        path.write_text(json.dumps(data, indent=1) + "\n")
    with replacing(folder / "faults.md") as path:
        path.write_text(markdown(data))
    gates = data["gates"]
    print(f"{gates['trials']:,} trials: {gates['caught']:,} caught, {gates['localised']:,} localised")
    harmless = len(outcomes) - gates["trials"]
    print(f"{harmless:,} harmless variations: {gates['false alarms']:,} false alarms")
    print(f"the table is in {folder / 'faults.md'}")


def complete(todo: Sequence[Job], record: Record, workers: int) -> list[Outcome]:
    """Return the outcomes of all jobs; those that the record does not have are run."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    left = [job for job in todo if job.key not in record.outcomes]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("trials", total=len(todo), completed=len(todo) - len(left))
        for outcome in in_processes(left, workers):
            record.add(outcome)
            description = f"{outcome.setting}: {outcome.name}"
            progress.update(task, advance=1, description=description)
    # Processes give outcomes as they come: the table has them in the order of the jobs.
    return [record.outcomes[job.key] for job in todo]


def describe(outcome: Outcome) -> str:
    """Return in words what was wrong with an outcome."""
    place = outcome.name
    if outcome.site:
        place += f" at {outcome.site}"
    gates = ", ".join(outcome.gates) or "no gate"
    return (
        f"{outcome.setting}: {place}: expected {outcome.expected or 'no alarm'}, found {outcome.culprits or 'nothing'} "
        f"by {gates}"
    )


def parser() -> Parser:
    """Return the command's parser."""
    command = Parser(PROG, __doc__)
    command.add_argument(
        "--sample", type=whole_number(1), metavar="N", help="only so many trials, chosen at random (default: all)"
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice (default: 0)")
    command.add_argument(
        "--only", default="", metavar="TEXT", help="only trials with this in them, as in `mobile-65 seed 0`, or a name"
    )
    command.add_argument(
        "--workers",
        type=whole_number(1),
        default=processors(),
        metavar="N",
        help="processes of up to 8 GB (%(default)s)",
    )
    command.add_argument(
        "--output", type=Path, default=Path("fault-results"), metavar="DIR", help="keeps the trials (%(default)s)"
    )
    command.add_argument(
        "--docs", type=Path, metavar="DIR", help="for the table (docs; with --sample or --only, the --output)"
    )
    return command


if __name__ == "__main__":
    sys.exit(run(main, PROG))
