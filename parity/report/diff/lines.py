"""What changed between two runs, in lines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from parity.core.words import few
from parity.report.diff.changes import Change, Comparison, Group
from parity.report.diff.origins import differences
from parity.report.diff.results import Key, Report, Result

# How many lines a part has unless all are asked for.
LIMIT = 10
HEADS = ("network", "gate", "failed", "now", "worst margin", "now", "its layer now")
# The places of the columns of numbers.
NUMBERS = range(2, 6)


def lines(old: Report, new: Report, compared: Comparison, factor: float, whole: bool = False) -> Iterator[str]:
    """Yield what is said of two reports: what explains the rest first, and what it comes to last.

    `factor` is what their margins were compared by. Unless it is `whole`, each part has its first lines alone.
    """
    yield f"old: {old.head}"
    yield f"new: {new.head}"
    for difference in differences(old.facts, new.facts):
        yield f"made with: {difference}"
    # What culprits explain is told by its number alone; where these failed before, there are none.
    culprits = sum(not change.new.explained for change in compared.failing)
    limit = min(culprits, LIMIT) or LIMIT
    yield from _part("newly failing, the culprits first", map(_failing, compared.failing), whole, limit)
    yield from _part("failing, and not judged before", map(_unknown, compared.unknown.items()), whole)
    yield from _part("passing again", map(_passing, compared.passing), whole)
    yield from _part(f"margins that rose by more than {factor:g} times", map(_moved, compared.risen), whole)
    yield from _part(f"margins that fell by more than {factor:g} times", map(_moved, compared.fallen), whole)
    yield from _alone("old", "new", compared.only_old, whole)
    yield from _alone("new", "old", compared.only_new, whole)
    yield ""
    yield from table(old, new)
    yield ""
    yield conclusion(compared)


def _part(title: str, entries: Iterable[str], whole: bool, limit: int = LIMIT) -> Iterator[str]:
    """Yield a title with the number of entries, and the first of them, or the whole; nothing where there are none."""
    every = list(entries)
    if every:
        yield f"\n{title}: {len(every):,}"
        yield from _first(every, len(every) if whole else limit)


def _first(entries: Sequence[str], limit: int) -> Iterator[str]:
    """Yield the first entries below a title, and how many are left out."""
    for entry in entries[:limit]:
        yield f"  {entry}"
    if len(entries) > limit:
        yield f"  and {len(entries) - limit:,} more (--all shows them)"


def _alone(run: str, other: str, groups: Mapping[Group, Sequence[str]], whole: bool) -> Iterator[str]:
    """Yield what one run alone judged: a line for each network and gate, with why the other did not."""
    if not groups:
        return
    entries = []
    for group, layers in groups.items():
        named = few(layers, len(layers)) if whole else few(layers)
        entries.append(f"{group.network} {group.gate}, {len(layers):,} ({other}: {group.why}): {named}")
    # The number is of layers, not of lines.
    yield f"\njudged in the {run} run alone: {sum(map(len, groups.values())):,}"
    yield from _first(entries, len(entries) if whole else LIMIT)


def _named(key: Key) -> str:
    return f"{key.network} {key.gate} {key.layer}"


def _failing(change: Change) -> str:
    """Return what is said of a layer that newly fails: what is wrong, or which layers explain that."""
    return f"{_unknown((change.key, change.new))}; the margin was {change.old.margin:.3g}"


def _unknown(entry: tuple[Key, Result]) -> str:
    """Return what is said of a layer that fails, of whose past nothing is known."""
    key, result = entry
    return f"{_named(key)}: {result.explained or result.said}"


def _passing(change: Change) -> str:
    """Return what is said of a layer that passes again."""
    return f"{_named(change.key)}: the margin was {change.old.margin:.3g}, now {change.new.margin:.3g}"


def _moved(change: Change) -> str:
    """Return from where to where a margin moved, and both that are its parts: what is allowed may move, too."""
    margins = f"the margin was {change.old.margin:.3g}, now {change.new.margin:.3g} ({change.times:.3g} times)"
    return f"{_named(change.key)}: {margins}; {change.new.said}; before: {change.old.said}"


def table(old: Report, new: Report) -> list[str]:
    """Return how many fail, and the worst margins of both runs by network and gate, side by side, in lines."""
    rows = [HEADS]
    for network, gate in dict.fromkeys([*old.judged, *new.judged]):
        failed, margin, _ = _worst(old, network, gate)
        failed_now, margin_now, layer = _worst(new, network, gate)
        rows.append((network, gate, failed, failed_now, margin, margin_now, layer))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_aligned(row, widths) for row in rows]


def _worst(report: Report, network: str, gate: str) -> tuple[str, str, str]:
    """Return how many fail, the largest margin and the layer that has it, as the table says them."""
    results = {key: result for key, result in report.results.items() if key[:2] == (network, gate)}
    if not results:
        return "-", "-", ""
    failed = sum(not result for result in results.values())
    worst = max(results, key=lambda key: results[key].margin)
    margin = results[worst].margin
    # Where all is exact, no layer is worse than the others.
    return f"{failed:,}", f"{margin:.3g}", worst.layer if margin else ""


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row of the table: names to the left, numbers to the right."""
    cells = []
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        cells.append(cell.rjust(width) if place in NUMBERS else cell.ljust(width))
    return "  ".join(cells).rstrip()


def conclusion(compared: Comparison) -> str:
    """Return in one line whether anything got worse, and what."""
    worse = {
        "newly failing": len(compared.failing),
        "failing and not judged before": len(compared.unknown),
        "with a larger margin": len(compared.risen),
        "of gates that did not finish": compared.lost,
    }
    found = [f"{count:,} {what}" for what, count in worse.items() if count]
    beginning = f"worse: {', '.join(found)}" if found else "nothing got worse"
    still = f", {compared.still_failing:,} of which fail in both" if compared.still_failing else ""
    return f"{beginning}; {compared.common:,} comparisons in both runs{still}"
