"""From the workers' files to the result: merged, as a table, and as JSON."""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from parity.core.errors import InputError
from parity.core.files import replacing
from parity.core.result import LayerResult
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
from parity.imagenet.summary import NAMES, Proportion, Summary, summarise

RESULT = "result.json"


def networks_in(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """The workers' files of each network in the output folders, which may come from several machines.

    Raises InputError for a folder that has none.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        inner = {child.name: worker_files(child) for child in sorted(folder.iterdir())} if folder.is_dir() else {}
        if not any(inner.values()):
            raise InputError(
                f"{folder} holds no results: expected NETWORK/worker-*.sqlite in it, as an evaluation writes"
            )
        for name, files in inner.items():
            found[name] += files
    return {name: files for name, files in found.items() if files}


def merge(paths: Sequence[Path], count: int | None = None) -> Summary:
    """The summary of one network over all workers' files, for `count` images (default: as many as any run was to do).

    Raises InputError where the files do not belong together.
    """
    runs = {path: run for path in paths if (run := read_run(path))}
    if not runs:
        raise InputError(f"{', '.join(map(str, paths)) or 'no file'}: no worker has written anything yet")
    fingerprint = read_fingerprint(next(iter(runs)))
    for path in runs:
        check_fingerprint(path, read_fingerprint(path), fingerprint)
    wanted = count or max(images for images, _ in runs.values())
    records = (record for record in read_records(runs) if record.index < wanted)
    failures = [failure for failure in read_failures(runs) if failure.index < wanted]
    return summarise(fingerprint["network"], wanted, fingerprint["sides"].split(), records, failures)


def table(summaries: Iterable[Summary]) -> str:
    """The accuracies of all networks and sides, and below what the sides disagree on."""
    from rich.console import Console
    from rich.table import Table

    rows = Table("network", "model", "images", "top-1 %", "95 % interval", "top-5 %", "95 % interval")
    for column in rows.columns[2:]:
        column.justify = "right"
    lines = []
    for summary in summaries:
        for side in summary.correct if summary.evaluated else ():
            figures = [text for rank in RANKS for text in _figures(summary.accuracy(side, rank))]
            rows.add_row(summary.network, NAMES[side], f"{summary.evaluated:,}", *figures)
        lines += _agreement(summary)
    text = io.StringIO()
    Console(file=text, width=100).print(rows)
    return text.getvalue() + "\n".join(lines)


def _figures(found: Proportion) -> tuple[str, str]:
    low, high = found.interval
    return f"{100 * found.share:.3f}", f"{100 * low:.2f} to {100 * high:.2f}"


def _agreement(summary: Summary) -> list[str]:
    if len(summary.correct) < 2 or not summary.evaluated:
        return []
    flips = "; ".join(
        "top-{}: {} right in TensorFlow alone, {} in the port alone (McNemar p = {:.3g})".format(
            rank, *summary.paired(rank), summary.mcnemar(rank)
        )
        for rank in RANKS
    )
    return [
        f"{summary.network}: the same best class on {summary.same_class:,} of {summary.evaluated:,} images; {flips}",
        f"{summary.network}: largest logit difference {summary.largest[0]:.3g}; TensorFlow's own from float64 "
        f"{max(summary.official_errors, default=float('nan')):.3g} on {len(summary.official_errors)} images",
    ]


def conclude(
    summaries: Sequence[Summary], expected: Mapping[str, Expectation | None], target: Path
) -> list[LayerResult]:
    """The verdict on each network; writes `target`, with all figures and every disagreeing image, as JSON."""
    content = json.dumps([summary.as_dict(expected[summary.network]) for summary in summaries], indent=1)
    with replacing(target) as temporary:
        temporary.write_text(content + "\n")
    return [summary.result(expected[summary.network]) for summary in summaries]
