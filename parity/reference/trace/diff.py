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
    shape or dtype differ or a value is not finite.
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
            first, worst = next(iter(self.distances)), max(self.distances, key=lambda name: self.distances[name])
            parts.append(f"the first that differs is {first} (relative L2 {self.distances[first]:.3g})")
            if worst != first:
                parts.append(f"the farthest {worst} ({self.distances[worst]:.3g})")
        for which, names in (("first", self.only_first), ("second", self.only_second)):
            if names:
                parts.append(f"{len(names):,} only in the {which}, such as {names[0]}")
        return f"{self.folder}: {', '.join(parts)}"


def provenance(first: Reader, second: Reader) -> list[str]:
    """What the two were made from, where that differs."""
    one, other = (dict(_flat(reader.head["provenance"])) for reader in (first, second))
    return [
        f"{key}: {one.get(key)} and {other.get(key)}"
        for key in dict.fromkeys([*one, *other])
        if one.get(key) != other.get(key)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def graphs(first: Reader, second: Reader) -> list[str]:
    """Layers that are another operation or fed by others; and layers and variables that only one has."""
    one, other = (dict(_described(reader)) for reader in (first, second))
    lines = []
    for part in dict.fromkeys([*one, *other]):
        ours, theirs = one.get(part, {}), other.get(part, {})
        changed = [name for name in ours if name in theirs and ours[name] != theirs[name]]
        for words, names in (
            ("stand elsewhere or are of another shape", changed),
            ("are only in the first", [name for name in ours if name not in theirs]),
            ("are only in the second", [name for name in theirs if name not in ours]),
        ):
            if names:
                lines.append(f"{part}: {len(names):,} {words}, such as {names[0]}")
    return lines


def _described(reader: Reader) -> Iterator[tuple[str, dict[str, Any]]]:
    """Layers and variables of each network and dtype, without what TensorFlow's operations are called."""
    for network, by_dtype in reader.head["graphs"].items():
        for dtype, graph in by_dtype.items():
            yield f"{network} {dtype} layers", {name: row | {"tensor": ""} for name, row in graph["layers"].items()}
            yield f"{network} {dtype} variables", {name: row["shape"] for name, row in graph["variables"].items()}


def groups(first: Reader, second: Reader, watch: Callable[[str], object] = lambda _path: None) -> Iterator[Group]:
    """All arrays, folder by folder; `watch` is told each that is compared. Two of them are in memory at a time."""
    folders = dict.fromkeys(folder for reader in (first, second) for folder in reader.folders())
    for folder in folders:
        ours, theirs = first.below(folder), second.below(folder)
        common = [name for name in ours if f"{folder}/{name}" in second]
        distances = {}
        for name in common:
            path = f"{folder}/{name}"
            watch(path)
            if first.sha256(path) != second.sha256(path):
                distances[name] = _distance(second.get(path), first.get(path))
        yield Group(
            folder,
            len(common),
            distances,
            tuple(name for name in ours if name not in common),
            tuple(name for name in theirs if name not in common),
        )


def _distance(actual: np.ndarray, expected: np.ndarray) -> float:
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    actual, expected = (array.astype(np.float64) for array in (actual, expected))
    if not np.isfinite(actual).all() or not np.isfinite(expected).all():
        return float("inf")
    difference, norm = float(np.linalg.norm(actual - expected)), metrics.norm(expected)
    return difference / norm if norm else float("inf")
