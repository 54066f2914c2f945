"""What a run comes to, in words, and in what it is partial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# What a run may come to; the page has a colour and a sign for each.
PARITY, PARTIAL, UNFINISHED, ERROR, NO_PARITY = "parity", "partial", "unfinished", "error", "no parity"


@dataclass(frozen=True)
class Run:
    """How a run went: its command, how many `tests` of pytest were selected, whether it was `stopped` before its end
    and why, and pytest's exit code."""

    command: str
    arguments: str
    selection: str
    started: str
    seconds: float
    exit: int
    tests: int
    stopped: str = ""


@dataclass(frozen=True)
class Count:
    """Of one gate and network: how many comparisons there are, were selected, were made, and failed."""

    network: str
    gate: str
    whole: int
    selected: int
    judged: int
    failed: int


def judgement(run: Run, counts: Sequence[Count], more: Sequence[str] = ()) -> dict[str, Any]:
    """The run in a word, in a sentence, and what to know of its limits, to which come `more`."""
    judged, failed = sum(count.judged for count in counts), sum(count.failed for count in counts)
    limits = [*_limits(run, counts, judged), *more]
    if failed:
        kind, words = NO_PARITY, f"No parity: {failed:,} of {_comparisons(judged)} {'fails' if failed == 1 else 'fail'}"
    elif not judged:
        kind, words = UNFINISHED, "No verdict: nothing was compared"
    elif run.stopped or judged < sum(count.selected for count in counts):
        kind, words = UNFINISHED, f"No verdict: the run did not finish. Nothing failed in {_comparisons(judged)}"
    elif run.exit:
        kind, words = ERROR, f"No verdict: pytest ended with exit code {run.exit}, though no comparison failed"
    elif limits:
        kind, words = PARTIAL, f"Parity in what was compared: {_comparisons(judged)}, none fails"
    else:
        kind, words = PARITY, f"Parity: {_comparisons(judged)}, none fails"
    return {"kind": kind, "words": words, "judged": judged, "failed": failed, "limits": limits}


def _limits(run: Run, counts: Sequence[Count], judged: int) -> Iterator[str]:
    selected, whole = sum(count.selected for count in counts), sum(count.whole for count in counts)
    if run.stopped:
        yield f"The run was stopped: {run.stopped}"
    if judged < selected:
        yield f"{selected - judged:,} of {selected:,} selected comparisons were not made"
    if selected < whole:
        how = f" ({run.selection})" if run.selection else ""
        yield f"Only a part was selected{how}: {selected:,} of {whole:,} comparisons"


def _comparisons(count: int) -> str:
    return f"{count:,} {'comparison' if count == 1 else 'comparisons'}"
