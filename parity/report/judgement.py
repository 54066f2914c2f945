"""What a run comes to, in words, and in what it is partial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# What a run may come to; the page has a colour and a sign for each.
PARITY = "parity"
PARTIAL = "partial"
UNFINISHED = "unfinished"
ERROR = "error"
NO_PARITY = "no parity"


@dataclass(frozen=True)
class Run:
    """How a run went.

    `command` is what was typed, `arguments` the options that change what is compared, and `selection` pytest's `-k` and
    `-m`. The run `started` at a time (ISO 8601, UTC) and took so many `seconds`. `exit` is pytest's exit code, `tests`
    counts the tests of pytest that were selected, and `stopped` tells why the run ended before its end, or is empty.
    """

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
    """The comparisons of one gate on one network.

    `whole` are all that there are, of which so many were `selected`, `judged` (made) and `failed`.
    """

    network: str
    gate: str
    whole: int
    selected: int
    judged: int
    failed: int


def judgement(run: Run, counts: Sequence[Count], more: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a run comes to: the kind, a sentence, the counts, and the limits of that, in sentences.

    `more` are further limits.
    """
    whole = selected = judged = failed = 0
    for count in counts:
        whole += count.whole
        selected += count.selected
        judged += count.judged
        failed += count.failed
    limits = [*_limits(run, whole, selected, judged), *more]
    kind, words = _conclusion(run, limits, selected, judged, failed)
    return {"kind": kind, "words": words, "judged": judged, "failed": failed, "limits": limits}


def _conclusion(run: Run, limits: Sequence[str], selected: int, judged: int, failed: int) -> tuple[str, str]:
    """Return the kind of what a run comes to, and a sentence; parity only where there is nothing against it."""
    comparisons = f"{judged:,} {'comparison' if judged == 1 else 'comparisons'}"
    # First, as a failure stands, even in a run that did not finish.
    if failed:
        verb = "fails" if failed == 1 else "fail"
        return NO_PARITY, f"No parity: {failed:,} of {comparisons} {verb}"
    if not judged:
        return UNFINISHED, "No verdict: nothing was compared"
    if run.stopped or judged < selected:
        return UNFINISHED, f"No verdict: the run did not finish. Nothing failed in {comparisons}"
    # What ended badly is no comparison: another test, or pytest itself.
    if run.exit:
        return ERROR, f"No verdict: pytest ended with exit code {run.exit}, though no comparison failed"
    if limits:
        return PARTIAL, f"Parity in what was compared: {comparisons}, none fails"
    return PARITY, f"Parity: {comparisons}, none fails"


def _limits(run: Run, whole: int, selected: int, judged: int) -> Iterator[str]:
    """Yield sentences on what of the `whole` the run did not compare."""
    if run.stopped:
        yield f"The run was stopped: {run.stopped}"
    if judged < selected:
        yield f"{selected - judged:,} of {selected:,} selected comparisons were not made"
    if selected < whole:
        selection = f" ({run.selection})" if run.selection else ""
        yield f"Only a part was selected{selection}: {selected:,} of {whole:,} comparisons"
