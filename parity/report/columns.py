"""A gate's results as columns of plain data, as report.json holds them (docs/report.md)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from parity.core.result import Element, LayerResult

# Significant digits of every number.
DIGITS = 6
# Tells of a failing layer why it needs no look of its own: in a word, and in a sentence (ParitySession.explained).
Explain = Callable[[str], tuple[str, str]]


class Table:
    """Texts by number, in the order in which they came, each once: names are long and come again in every gate."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for text in texts:
            self.number(text)

    def number(self, text: str) -> int:
        """Return the number of a text, which is added if it is new."""
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        """All texts: each at the place that is its number."""
        return list(self._numbers)


def number(value: float | None) -> float | str | None:
    """Return a number as JSON holds it: rounded to `DIGITS`; one that is not finite as text (`inf`, `-inf`, `nan`)."""
    if value is None:
        return None
    if not math.isfinite(value):
        return str(float(value))
    return float(f"{value:.{DIGITS}g}")


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: tuples as lists, and numbers that are not finite as text, at any depth.

    Finite numbers keep all their digits.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return number(value)
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def results(gate_results: Sequence[LayerResult], names: Table, explain: Explain) -> dict[str, Any]:
    """Return one gate's results as columns, each with an entry for every result; what few results have, by row.

    A row is a result's place in `gate_results`. `names` numbers the layers of all gates of a network.
    """
    labels = Table()
    columns: dict[str, Any] = {"name": [], "passed": "", "margin": [], "labels": [], "checks": []}
    columns |= {"norm": [], "official": []}
    for result in gate_results:
        columns["name"].append(names.number(result.layer))
        columns["passed"] += "1" if result else "0"
        columns["margin"].append(number(result.margin))
        columns["checks"].append(_checks(result, labels))
        columns["norm"].append(number(result.norm))
        columns["official"].append(number(result.official))
    columns["labels"] = labels.texts
    return columns | _by_row(gate_results, explain)


def _checks(result: LayerResult, labels: Table) -> list[list[Any]]:
    """Return the checks of a result, each as [number of its label, measured, allowed]."""
    checks = []
    for check in result.checks:
        label = labels.number(check.name)
        checks.append([label, number(check.measured), number(check.allowed)])
    return checks


def _by_row(gate_results: Sequence[LayerResult], explain: Explain) -> dict[str, Any]:
    """Return what few results have, each kind as an object by row; and the rows of layers that were not reached."""
    # Rows are text where they are keys, as JSON has no other keys.
    problems: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    elements: dict[str, dict[str, Any]] = {}
    unreached: list[int] = []
    explained: dict[str, list[str]] = {}
    for row, result in enumerate(gate_results):
        if result.problem:
            problems[str(row)] = result.problem
        if result.notes:
            notes[str(row)] = list(result.notes)
        if result.element:
            elements[str(row)] = element(result.element)
        if result:
            continue
        if not result.reached:
            unreached.append(row)
        reason, words = explain(result.layer)
        # A culprit has no reason: it is what is to be looked at.
        if reason:
            explained[str(row)] = [reason, words]
    by_row = {"problem": problems, "notes": notes, "element": elements}
    return {**by_row, "unreached": unreached, "explained": explained}


def element(worst: Element) -> dict[str, Any]:
    """Return a layer's worst element as plain data."""
    return {
        "index": list(worst.index),
        # All digits, as text: rounded to `DIGITS`, the two values would often look the same.
        "actual": repr(worst.actual),
        "expected": repr(worst.expected),
        "exceeding": worst.exceeding,
        "size": worst.size,
    }


def tests(gate_results: Sequence[LayerResult], nodes: Mapping[str, str]) -> dict[str, Any]:
    """Return the pytest id of each result's test, of which `nodes` has them by name.

    An id that ends with the name and `]` is the number of what comes before these; any other is there by row, as it is.
    """
    # Nearly all ids of a gate differ by the name alone.
    starts = Table()
    numbers: list[int] = []
    others: dict[str, str] = {}
    for row, result in enumerate(gate_results):
        node = nodes.get(result.layer, "")
        end = f"{result.layer}]"
        if node.endswith(end):
            numbers.append(starts.number(node.removesuffix(end)))
        else:
            numbers.append(-1)
            others[str(row)] = node
    return {"test": numbers, "tests": starts.texts, "other_test": others}
