"""From the workers' files to the result: merged, as a table, and as JSON."""

import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from parity.core.errors import InputError
from parity.core.files import replacing
from parity.imagenet.figures import Proportion
from parity.imagenet.folders import children
from parity.imagenet.options import Expectation
from parity.imagenet.record import RANKS
from parity.imagenet.store import (
    check_fingerprint,
    read_failures,
    read_fingerprint,
    read_records,
    read_run,
    worker_files,
)
from parity.imagenet.summary import NAMES, Summary, summarise

RESULT = "result.json"


def networks_in(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the workers' files of each network in the output folders, which may come from several machines.

    Raises InputError for a folder that has none.
    """
    merged: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        inside = children(folder) if folder.is_dir() else []
        files_by_network = {child.name: worker_files(Path(child.path)) for child in inside}
        if not any(files_by_network.values()):
            raise InputError(
                f"{folder} holds no results: expected NETWORK/worker-*.sqlite in it, as an evaluation writes"
            )
        for name, files in files_by_network.items():
            merged[name] += files
    return {name: files for name, files in merged.items() if files}


def merge(paths: Sequence[Path], count: int | None = None) -> Summary:
    """Return the summary of one network over all workers' files, for `count` images.

    By default for as many as any run was to do, so that a first run with --limit does not make a later one look
    complete. Raises InputError where the files do not belong together.
    """
    runs: dict[Path, tuple[int, str]] = {}
    for path in paths:
        run = read_run(path)
        if run:  # a worker that was stopped before it wrote anything has none
            runs[path] = run
    if not runs:
        raise InputError(f"{', '.join(map(str, paths)) or 'no file'}: no worker has written anything yet")
    fingerprint = read_fingerprint(next(iter(runs)))
    for path in runs:
        check_fingerprint(path, read_fingerprint(path), fingerprint)
    wanted = count or max(images for images, _machine in runs.values())
    # One record at a time: the summary keeps those alone on which the sides disagree.
    records = (record for record in read_records(runs) if record.index < wanted)
    failures = [failure for failure in read_failures(runs) if failure.index < wanted]
    return summarise(fingerprint["network"], wanted, fingerprint["sides"].split(), records, failures)


def table(summaries: Iterable[Summary]) -> str:
    """Return the accuracies of all networks and sides as a table, and below it what the sides disagree on."""
    from rich.box import ASCII2
    from rich.console import Console
    from rich.table import Table

    heads = ("network", "model", "images", "top-1 %", "95 % interval", "top-5 %", "95 % interval")
    # Of characters that every terminal and file takes.
    accuracies = Table(*heads, box=ASCII2)
    for column in accuracies.columns[2:]:
        column.justify = "right"
    lines: list[str] = []
    for summary in summaries:
        if not summary.evaluated:  # there is no share of no images
            continue
        for side in summary.correct:
            figures: list[str] = []
            for rank in RANKS:
                figures += _figures(summary.accuracy(side, rank))
            accuracies.add_row(summary.network, NAMES[side], f"{summary.evaluated:,}", *figures)
        lines += _agreement(summary)
    # Of one width wherever it is printed: by itself, rich asks a terminal.
    text = io.StringIO()
    Console(file=text, width=100).print(accuracies)
    return text.getvalue() + "\n".join(lines)


def _figures(accuracy: Proportion) -> tuple[str, str]:
    """Return an accuracy and its interval, in percent."""
    low, high = accuracy.interval
    return f"{100 * accuracy.share:.3f}", f"{100 * low:.2f} to {100 * high:.2f}"


def _agreement(summary: Summary) -> list[str]:
    """Return, in two lines, how far both sides agree; empty for one side alone."""
    if len(summary.correct) < 2:
        return []
    flips: list[str] = []
    for rank in RANKS:
        official_only, port_only = summary.paired(rank)
        flips.append(
            f"top-{rank}: {official_only} right in TensorFlow alone, {port_only} in the port alone "
            f"(McNemar p = {summary.mcnemar(rank):.3g})"
        )
    difference, _image = summary.largest
    official_error = max(summary.official_errors, default=math.nan)
    same = f"the same best class on {summary.same_class:,} of {summary.evaluated:,} images"
    official = f"TensorFlow's own from float64 {official_error:.3g} on {len(summary.official_errors)} images"
    return [
        f"{summary.network}: {same}; {'; '.join(flips)}",
        f"{summary.network}: largest logit difference {difference:.3g}; {official}",
    ]


def write_figures(summaries: Sequence[Summary], expected: Mapping[str, Expectation | None], target: Path) -> None:
    """Write all figures and every disagreeing image into `target`, as JSON.

    `expected` has the published accuracies by network. Raises InputError where the file cannot be written.
    """
    content = json.dumps([summary.as_dict(expected[summary.network]) for summary in summaries], indent=1)
    with replacing(target) as temporary:
        temporary.write_text(content + "\n")
