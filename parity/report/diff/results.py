"""What a report says of each layer, and why it says nothing of one."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from parity.core.errors import InputError
from parity.core.result import Check
from parity.report.diff.origins import facts
from parity.report.document import OPTIONAL
from parity.report.reading import located, parts_of, read

# Why a report has no result of a layer: the run ended before all was judged that it was to judge by this gate.
UNFINISHED = "this gate did not finish"
# The names of a network and of a gate.
Judge = tuple[str, str]


class Key(NamedTuple):
    """The names of a network, of a gate, and of what the gate judges there: a layer, a block, an image, a variable."""

    network: str
    gate: str
    layer: str


@dataclass(frozen=True)
class Result:
    """What a report says of one layer by one gate; it is true if the layer passed.

    `said` is the check with the largest margin, or what left nothing to check. `explained` tells of a failing layer why
    it needs no look of its own, and is empty of a culprit.
    """

    passed: bool
    margin: float
    said: str
    explained: str = ""

    def __bool__(self) -> bool:
        return self.passed


@dataclass(frozen=True)
class Report:
    """The report at a path: what it says of the run as a whole, its results, and what the run set out to judge.

    `head` is what the run came to, with its command and time, and `facts` what it compared and with what. `selected`
    counts by network and gate what was to be judged, and `unobservable` are the layers that the candidate hides.
    """

    path: Path
    head: str
    facts: Mapping[str, str]
    results: Mapping[Key, Result]
    selected: Mapping[Judge, int]
    unobservable: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the report in a file or a folder.

        Raises InputError for what is no report of this version, or has no results of layers.
        """
        path = located(path)
        document = read(path)
        with parts_of(path):
            run = document["run"]
            words = document["judgement"]["words"]
            report = cls(
                path=path,
                head=f"{words} ({run['command']}; {run['started']})",
                facts=facts(document),
                results=dict(_results(document)),
                selected=dict(_selected(document)),
                unobservable=dict(_unobservable(document)),
            )
        # An evaluation is summed up over images, in a result of its own.
        if all(key.gate in OPTIONAL for key in report.results):
            what = "an evaluation on ImageNet" if document.get("imagenet") else f"no results ({words})"
            raise InputError(f"{path} has {what}, and no layers: it is layers that are compared")
        return report

    @cached_property
    def judged(self) -> Counter[Judge]:
        """How many results there are, by network and gate."""
        return Counter((key.network, key.gate) for key in self.results)

    def why_without(self, key: Key) -> str:
        """Return why there is no result of a layer, in words."""
        judge = (key.network, key.gate)
        if key.network not in self.unobservable:
            return "no such network"
        if key.layer in self.unobservable[key.network]:
            return "unobservable"
        if not self.selected.get(judge):
            return "nothing was selected of this gate"
        if self.judged[judge] < self.selected[judge]:
            return UNFINISHED
        return "not selected, or not there"


def _selected(document: Mapping[str, Any]) -> Iterator[tuple[Judge, int]]:
    """Yield how much each gate was to judge of each network."""
    for network in document["networks"]:
        for gate in network["gates"]:
            yield (network["name"], gate["gate"]), int(gate["selected"])


def _unobservable(document: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the layers of each network that the candidate hides."""
    for network in document["networks"]:
        yield network["name"], frozenset(network["names"][number] for number in network["unobservable"])


def _results(document: Mapping[str, Any]) -> Iterator[tuple[Key, Result]]:
    """Yield all results of a document. Raises LookupError, TypeError or ValueError where it is none of parity's."""
    for network in document["networks"]:
        for gate in network["gates"]:
            columns = zip(gate["name"], gate["passed"], gate["margin"], gate["checks"], strict=True)
            for row, (number, passed, margin, checks) in enumerate(columns):
                key = Key(network["name"], gate["gate"], network["names"][number])
                said = gate["problem"].get(str(row)) or _worst(checks, gate["labels"])
                _reason, explained = gate["explained"].get(str(row), ("", ""))
                yield key, Result(passed == "1", _margin(margin), said, explained)


def _worst(checks: list[list[Any]], labels: list[str]) -> str:
    """Return the check with the largest margin in words; an empty text where there is none."""
    named = [Check(labels[label], float(measured), float(allowed)) for label, measured, allowed in checks]
    return str(max(named, key=lambda check: check.margin)) if named else ""


def _margin(value: float | str) -> float:
    """Return a margin, of which infinity is text in JSON. Raises ValueError for what is no margin."""
    margin = float(value)
    # "Not a number" among them, which would neither rise nor fall.
    if not margin >= 0:
        raise ValueError(f"{value} is no margin")
    return margin
