"""Frozen results that judge and render themselves."""

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Check:
    """One figure of a layer: what was measured, and what is allowed. It passes up to what is allowed."""

    name: str
    measured: float
    allowed: float

    @property
    def margin(self) -> float:
        """Measured over allowed: a check passes up to 1. Not a number is worse than any number."""
        if self:
            # Where 0 is allowed, as in the exact gates, what passes is the same to the last bit.
            return self.measured / self.allowed if self.allowed else 0.0
        # Infinite, so that it is found where the worst is looked for: "not a number" would be lost among numbers.
        if not self.allowed or not math.isfinite(self.measured):
            return float("inf")
        return self.measured / self.allowed

    def __bool__(self) -> bool:
        # Every comparison with "not a number" is false: `not measured > allowed` would let it pass.
        return self.measured <= self.allowed

    def __str__(self) -> str:
        return f"{self.name}: measured {self.measured:.4g}, allowed {self.allowed:.4g} ({'ok' if self else 'too far'})"


@dataclass(frozen=True)
class Element:
    """The worst element of a layer: its index (N, H, W, C) or (N, C), both values, and how many elements exceed.

    `exceeding` of the layer's `size` elements are further off than is allowed.
    """

    index: tuple[int, ...]
    actual: float
    expected: float
    exceeding: int
    size: int

    def __str__(self) -> str:
        # `repr` gives every digit, so that a unit in the last place can be seen.
        return (
            f"worst element {list(self.index)}: candidate {self.actual!r}, expected {self.expected!r}; "
            f"{self.exceeding:,} of {self.size:,} elements exceed"
        )


@dataclass(frozen=True)
class LayerResult:
    """One layer by one gate. It passes if it has checks, all of them pass, and nothing made them impossible.

    `problem` says why there was nothing to check: a layer that is missing, of another shape, or not finite; or not
    `reached`, since the candidate failed in another. Where they are known, `norm` is the L2 norm of what is expected
    and `official` TensorFlow's own L2 distance from it in float32. `at_fault` is a failing layer whose own part fails
    alone too, on TensorFlow's inputs to it, as far as that was looked at.
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
        """The largest margin of the checks: up to 1 it passes. What could not be checked is worse than any figure."""
        if self.problem or not self.checks:
            return float("inf")
        return max(check.margin for check in self.checks)

    def looked_at(self, alone: Self) -> Self:
        """Return this failing result with a note on the result of the layer's own part, which was run `alone`."""
        if alone:
            outcome = "agrees: what arrives differs"
        else:
            reason = alone.problem or max(alone.checks, key=lambda check: check.margin)
            outcome = f"fails: {reason}"
        note = f"alone, on the official network's own values, it {outcome}"
        return replace(self, at_fault=not alone, notes=(*self.notes, note))

    def __bool__(self) -> bool:
        # Without any check it fails: nothing was compared.
        return bool(self.checks) and all(self.checks) and not self.problem

    def __str__(self) -> str:
        outcome = "passes" if self else "fails"
        lines = [f"{self.layer} {outcome} the {self.gate} gate ({self.network})"]
        details = [self.problem, *map(str, self.checks), *self.notes]
        lines += [f"  {detail}" for detail in details if detail]
        if self.element:
            lines.append(f"  {self.element}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data, with whether it passed and its margin (None where that is not finite)."""
        # JSON has neither infinity nor "not a number".
        margin = self.margin if math.isfinite(self.margin) else None
        return asdict(self) | {"passed": bool(self), "margin": margin}


@dataclass(frozen=True)
class Tally:
    """What a gate made of a network: how many were compared, how many of them failed, and the worst.

    The `worst` came nearest to its limit or went furthest beyond it. Gates that run together have their `seconds` under
    one of them, and None under the others.
    """

    network: str
    gate: str
    compared: int
    failed: int
    worst: LayerResult
    seconds: float | None

    @classmethod
    def of(cls, results: Collection[LayerResult], network: str, gate: str, seconds: float | None) -> Self:
        """Return the tally of one result or more. Raises ValueError without any."""
        failing = [result for result in results if not result]
        worst = max(results, key=lambda result: result.margin)
        return cls(network, gate, len(results), len(failing), worst, seconds)
