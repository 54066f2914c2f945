"""Frozen results that judge and render themselves."""

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Check:
    """One figure of a layer: what was measured, what is allowed, and, where it has one, the element it belongs to."""

    name: str
    measured: float
    allowed: float

    @property
    def margin(self) -> float:
        """Measured over allowed: a check passes up to 1. Not a number is worse than any number."""
        if not self.measured <= self.allowed:
            return self.measured / self.allowed if self.allowed and self.measured < float("inf") else float("inf")
        return self.measured / self.allowed if self.allowed else 0.0

    def __bool__(self) -> bool:
        return self.measured <= self.allowed

    def __str__(self) -> str:
        return f"{self.name}: measured {self.measured:.4g}, allowed {self.allowed:.4g} ({'ok' if self else 'too far'})"


@dataclass(frozen=True)
class Element:
    """The worst element of a layer: its index (N, H, W, C) or (N, C), and both values."""

    index: tuple[int, ...]
    actual: float
    expected: float
    exceeding: int
    size: int

    def __str__(self) -> str:
        return (
            f"worst element {list(self.index)}: port {self.actual!r}, expected {self.expected!r}; "
            f"{self.exceeding:,} of {self.size:,} elements exceed"
        )


@dataclass(frozen=True)
class LayerResult:
    """A gate's verdict on one layer. It passes if it has checks, all of them pass, and nothing made them impossible.

    `problem` says why there was nothing to check: a layer that is missing, of another shape, or not finite; or not
    `reached`, since the port failed in another. Where they are known, `norm` is the L2 norm of what is expected and
    `official` TensorFlow's own L2 distance from it in float32. `at_fault` is a failing layer whose own part fails alone
    too, on TensorFlow's inputs to it, as far as that was looked at.
    """

    gate: str
    network: str
    layer: str
    checks: tuple[Check, ...] = ()
    problem: str = ""
    element: Element | None = None
    notes: tuple[str, ...] = ()
    reached: bool = True
    norm: float | None = None
    official: float | None = None
    at_fault: bool = False

    @property
    def margin(self) -> float:
        """The largest margin of the checks: up to 1 it passes."""
        return max((check.margin for check in self.checks), default=float("inf")) if not self.problem else float("inf")

    def looked_at(self, alone: Self) -> Self:
        """The same failing result, and what the layer's own part, run `alone`, says to it."""
        why = alone.problem or max(alone.checks, key=lambda check: check.margin)
        verdict = "agrees: what arrives differs" if alone else f"fails: {why}"
        note = f"alone, on the official network's own values, it {verdict}"
        return replace(self, at_fault=not alone, notes=(*self.notes, note))

    def __bool__(self) -> bool:
        return bool(self.checks) and all(self.checks) and not self.problem

    def __str__(self) -> str:
        verdict = "passes" if self else "fails"
        lines = [f"{self.layer} {verdict} the {self.gate} gate ({self.network})"]
        lines += [f"  {line}" for line in (self.problem, *map(str, self.checks), *self.notes) if line]
        if self.element:
            lines.append(f"  {self.element}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain data, with the verdict and the margin (None where there is no number for it)."""
        margin = self.margin if math.isfinite(self.margin) else None
        return asdict(self) | {"passed": bool(self), "margin": margin}


@dataclass(frozen=True)
class Tally:
    """What a gate made of a network: how many were compared, how many of them failed, and the `worst`, which came
    nearest to its limit or went furthest beyond it. Gates that run together have their `seconds` under one of them."""

    network: str
    gate: str
    compared: int
    failed: int
    worst: LayerResult
    seconds: float | None

    @classmethod
    def of(cls, results: Collection[LayerResult], network: str, gate: str, seconds: float | None) -> Self:
        """The tally of one result or more."""
        failed = sum(not result for result in results)
        return cls(network, gate, len(results), failed, max(results, key=lambda result: result.margin), seconds)
