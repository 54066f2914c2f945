"""A gate's results as columns of plain data, and what was observed of their arrays packed into bytes."""

import base64
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from parity.core.result import Element, LayerResult
from parity.report.collect import Observation
from parity.report.measure import POINTS, Closeup, Map
from parity.report.pictures import DIFFERENCES, VALUES, png

# Significant digits of every number.
DIGITS = 6
Explain = Callable[[str], tuple[str, str]]


class Table:
    """Texts by number, each once: names are long and come again in every gate."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


def number(value: float | None) -> float | str | None:
    """A number as JSON holds it: those that are not finite as text (`inf`, `-inf`, `nan`)."""
    if value is None:
        return None
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(float(value))


def plain(value: Any) -> Any:
    """The value with what JSON does not hold made plain: tuples, and numbers that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return number(value)
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def results(rows: Sequence[LayerResult], names: Table, explain: Explain) -> dict[str, Any]:
    """The columns of `rows`. Those that few rows have are objects by row number."""
    labels = Table()
    checks = [
        [[labels.number(check.name), number(check.measured), number(check.allowed)] for check in row.checks]
        for row in rows
    ]
    failed = {place: row for place, row in enumerate(rows) if not row}
    explained = {place: explain(row.layer) for place, row in failed.items()}
    return {
        "name": [names.number(row.layer) for row in rows],
        "passed": "".join("01"[bool(row)] for row in rows),
        "margin": [number(row.margin) for row in rows],
        "labels": labels.texts,
        "checks": checks,
        "norm": [number(row.norm) for row in rows],
        "official": [number(row.official) for row in rows],
        "problem": _sparse(row.problem for row in rows),
        "notes": _sparse(list(row.notes) for row in rows),
        "element": _sparse(element(row.element) for row in rows),
        "unreached": [place for place, row in failed.items() if not row.reached],
        "explained": {str(place): list(why) for place, why in explained.items() if why[0]},
    }


def _sparse(values: Iterable[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values) if value}


def element(worst: Element | None) -> dict[str, Any] | None:
    """An element as plain data; its two values with all digits, as text."""
    if worst is None:
        return None
    return asdict(worst) | {"index": list(worst.index), "actual": repr(worst.actual), "expected": repr(worst.expected)}


def observations(rows: Sequence[LayerResult], seen: Mapping[str, Observation]) -> dict[str, Any]:
    """The histograms and points of the `rows` that have them, in their order, and the close-ups by row number."""
    found = [(place, seen[row.layer]) for place, row in enumerate(rows) if row.layer in seen]
    padded = [np.pad(o.points.levels, ((0, 0), (0, POINTS - o.points.levels.shape[1])), "edge") for _, o in found]
    return {
        "row": [place for place, _ in found],
        "size": [one.size for _, one in found],
        "scale": [number(one.histogram.scale) for _, one in found],
        "counts": packed([one.histogram.counts.astype("<u2") for _, one in found]),
        "low": [number(one.points.low) for _, one in found],
        "high": [number(one.points.high) for _, one in found],
        "points": packed(padded),
        "closeups": {str(place): closeup(one.closeup) for place, one in found if one.closeup},
    }


def packed(arrays: Sequence[np.ndarray]) -> str:
    """The arrays' bytes one behind the other, as base64."""
    return base64.b64encode(b"".join(array.tobytes() for array in arrays)).decode("ascii")


def closeup(seen: Closeup) -> dict[str, Any]:
    """A close-up as plain data; without maps where the layer has none."""
    kept = seen.points
    maps = {
        name: picture(found, colours)
        for name, found, colours in (
            ("port", seen.port, VALUES),
            ("expected", seen.expected, VALUES),
            ("difference", seen.difference, DIFFERENCES),
        )
        if found
    }
    return {
        "worst": [[list(index), repr(actual), repr(expected)] for index, actual, expected in seen.worst],
        "low": number(kept.low),
        "high": number(kept.high),
        "points": packed([kept.levels]),
        "maps": maps,
    }


def picture(kept: Map, colours: tuple[str, ...]) -> dict[str, Any]:
    """A map as a PNG, with the values of its lowest and highest level."""
    height, width = kept.levels.shape
    return {
        "width": width,
        "height": height,
        "low": number(kept.low),
        "high": number(kept.high),
        "png": png(kept.levels, colours),
    }
