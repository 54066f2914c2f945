"""Two traces compared: two versions of TensorFlow, two machines, two checkpoints."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.core import metrics
from parity.reference.trace.store import Reader


@dataclass(frozen=True)
class Group:
    """The arrays of one folder, in stored order: how many both traces have, which differ, and which only one has.

    `distances` are the relative L2 distances of those that differ, of the second trace from the first; infinite where
    shape or dtype differ or a value is not finite. A group is true if both traces have the same in it.
    """

    folder: str
    common: int
    distances: Mapping[str, float]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    def __bool__(self) -> bool:
        return not (self.distances or self.only_first or self.only_second)

    def __str__(self) -> str:
        parts = [f"{self.common:,} arrays in both, {self.common - len(self.distances):,} the same bits"]
        if self.distances:
            first = next(iter(self.distances))
            farthest = max(self.distances, key=lambda name: self.distances[name])
            parts.append(f"the first that differs is {first} (relative L2 {self.distances[first]:.3g})")
            if farthest != first:
                parts.append(f"the farthest {farthest} ({self.distances[farthest]:.3g})")
        for which, names in (("first", self.only_first), ("second", self.only_second)):
            if names:
                parts.append(f"{len(names):,} only in the {which}, such as {names[0]}")
        return f"{self.folder}: {', '.join(parts)}"


def provenance(first: Reader, second: Reader) -> list[str]:
    """Return what the two traces were made from, where that differs, in words."""
    of_first = dict(_flat(first.head["provenance"]))
    of_second = dict(_flat(second.head["provenance"]))
    lines = []
    for key in dict.fromkeys([*of_first, *of_second]):
        values = of_first.get(key), of_second.get(key)
        if values[0] != values[1]:
            lines.append(f"{key}: {values[0]} and {values[1]}")
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no dictionary, with all the keys that lead to it."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def graphs(first: Reader, second: Reader) -> list[str]:
    """Return, in words, where the graphs of two traces differ.

    Named are layers that are another operation or fed by others, and layers and variables that only one trace has.
    """
    of_first = dict(_described(first))
    of_second = dict(_described(second))
    lines = []
    for part in dict.fromkeys([*of_first, *of_second]):
        in_first = of_first.get(part, {})
        in_second = of_second.get(part, {})
        names_by_difference = {
            "stand elsewhere or are of another shape": [
                name for name in in_first if name in in_second and in_first[name] != in_second[name]
            ],
            "are only in the first": [name for name in in_first if name not in in_second],
            "are only in the second": [name for name in in_second if name not in in_first],
        }
        for difference, names in names_by_difference.items():
            if names:
                lines.append(f"{part}: {len(names):,} {difference}, such as {names[0]}")
    return lines


def _described(reader: Reader) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the layers and the variables of each network and dtype, as plain data by name."""
    for network, graph_by_dtype in reader.head["graphs"].items():
        for dtype, graph in graph_by_dtype.items():
            # Without what TensorFlow's operations are called, which differs by the official source's revision.
            yield f"{network} {dtype} layers", {name: row | {"tensor": ""} for name, row in graph["layers"].items()}
            yield f"{network} {dtype} variables", {name: row["shape"] for name, row in graph["variables"].items()}


def groups(first: Reader, second: Reader, watch: Callable[[str], object] = lambda _path: None) -> Iterator[Group]:
    """Yield all arrays of two traces, compared, folder by folder. Two arrays are in memory at a time.

    `watch` is told the path of each that is compared.
    """
    for folder in dict.fromkeys([*first.folders(), *second.folders()]):
        in_first = first.below(folder)
        in_second = second.below(folder)
        common = [name for name in in_first if f"{folder}/{name}" in second]
        distances = {}
        for name in common:
            path = f"{folder}/{name}"
            watch(path)
            # By their stored digests first: arrays that are the same are not read.
            if first.sha256(path) != second.sha256(path):
                distances[name] = _distance(second.get(path), first.get(path))
        only_first = tuple(name for name in in_first if name not in common)
        only_second = tuple(name for name in in_second if name not in common)
        yield Group(folder, len(common), distances, only_first, only_second)


def _distance(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the relative L2 distance in float64; infinite where it has no meaning."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    actual = actual.astype(np.float64)
    expected = expected.astype(np.float64)
    if not np.isfinite(actual).all() or not np.isfinite(expected).all():
        return float("inf")
    difference = float(np.linalg.norm(actual - expected))
    norm = metrics.norm(expected)
    return difference / norm if norm else float("inf")
