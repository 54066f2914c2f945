"""What changed between two runs, decided from their results alone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from parity.core.errors import InputError
from parity.core.words import few
from parity.report.diff.results import UNFINISHED, Key, Report, Result

# A margin below this share of what is allowed counts as this share: so small, it is rounding that chance moves by any
# factor. Between two instruction sets of one processor, of 21,079 sound comparisons none moves by more than 2 times
# so; without a share one does, from 0.0038 to 0.018, and of training's some by 512 times, at 3e-8.
SHARE = 0.01
FACTOR = 2.0


@dataclass(frozen=True)
class Change:
    """One layer by one gate in two runs."""

    key: Key
    old: Result
    new: Result

    @property
    def times(self) -> float:
        """How many times as large the margin became; infinite where it was 0."""
        # Of infinite margins, too: they are of layers that could not be compared, and one that stays so did not change.
        if self.old.margin == self.new.margin:
            return 1.0
        return self.new.margin / self.old.margin if self.old.margin else float("inf")


class Group(NamedTuple):
    """What one run alone judged: of which network, by which gate, and why the other did not."""

    network: str
    gate: str
    why: str


@dataclass(frozen=True)
class Comparison:
    """What two runs have of the same layers, `common` of them, and what only one has.

    `failing` are those that fail and did not before, `passing` those that no longer fail, and `risen` and `fallen`
    those whose margins moved by more than a factor, the farthest first; `still_failing` counts those that fail in both.
    `only_old` and `only_new` have names of layers, and `unknown` the results that fail of those that only the newer run
    judged.
    """

    common: int
    still_failing: int
    failing: Sequence[Change]
    passing: Sequence[Change]
    risen: Sequence[Change]
    fallen: Sequence[Change]
    only_old: Mapping[Group, Sequence[str]]
    only_new: Mapping[Group, Sequence[str]]
    unknown: Mapping[Key, Result]

    @property
    def lost(self) -> int:
        """How many comparisons of the older run are of gates that did not finish in the newer one."""
        return sum(len(layers) for group, layers in self.only_old.items() if group.why == UNFINISHED)

    @property
    def is_worse(self) -> bool:
        """Whether anything got worse."""
        return bool(self.failing or self.unknown or self.risen or self.lost)


def compare(old: Report, new: Report, factor: float = FACTOR) -> Comparison:
    """Return what changed from one report to the other; margins that moved by no more than `factor` did not.

    Raises InputError where they have no layer in common.
    """
    common = _common(old, new)
    failing = [change for change in common if change.old and not change.new]
    # Whatever newly fails or passes is said once, and not by its margin again.
    alike = [change for change in common if bool(change.old) == bool(change.new)]
    risen = [change for change in alike if _rises(change.old, change.new, factor)]
    fallen = [change for change in alike if _rises(change.new, change.old, factor)]
    return Comparison(
        common=len(common),
        still_failing=sum(not change.new for change in alike),
        # Those first that no other layer explains.
        failing=sorted(failing, key=lambda change: bool(change.new.explained)),
        passing=[change for change in common if change.new and not change.old],
        risen=sorted(risen, key=lambda change: -change.times),
        fallen=sorted(fallen, key=lambda change: change.times),
        only_old=_grouped(old, new),
        only_new=_grouped(new, old),
        unknown={key: result for key, result in new.results.items() if key not in old.results and not result},
    )


def _common(old: Report, new: Report) -> list[Change]:
    """Return what both reports have, in the order of the newer one. Raises InputError where that is nothing."""
    common = [Change(key, old.results[key], new.results[key]) for key in new.results if key in old.results]
    if not common:
        raise InputError(
            f"{old.path} and {new.path} have no layer of the same network and gate in common: "
            f"the one has {_judged(old)}; the other {_judged(new)}"
        )
    return common


def _rises(before: Result, after: Result, factor: float) -> bool:
    """Return whether a margin gets larger by more than a factor; one below the share never does."""
    return after.margin > factor * max(before.margin, SHARE)


def _judged(report: Report) -> str:
    """Return which networks and gates a report has, in words."""
    return few([f"{network} {gate}" for network, gate in report.judged])


def _grouped(report: Report, other: Report) -> dict[Group, list[str]]:
    """Return the layers that a report alone has, by network, gate and why the `other` has no result of them."""
    groups: defaultdict[Group, list[str]] = defaultdict(list)
    for key in report.results:
        if key not in other.results:
            groups[Group(key.network, key.gate, other.why_without(key))].append(key.layer)
    return dict(groups)
