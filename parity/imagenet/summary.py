"""What the records of a network come to: accuracies with intervals, agreement, flips, and the gate's verdict."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from parity.core.policy import IMAGENET
from parity.core.result import Check, LayerResult
from parity.imagenet.options import Expectation
from parity.imagenet.record import RANKS, TOP, Answer, Failure, Record

NAMES = {"official": "TensorFlow", "port": "PyTorch port"}
CONFIDENCE = 0.95
# How many images a verdict lists; the JSON file has all.
LISTED = 10


@dataclass(frozen=True)
class Proportion:
    """`correct` of `count` images."""

    correct: int
    count: int

    @property
    def share(self) -> float:
        return self.correct / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 %: where the share over all images of this kind lies."""
        from scipy.stats import binomtest

        found = binomtest(self.correct, self.count).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"percent": 100 * self.share, "wilson_95": self.interval}


@dataclass(frozen=True)
class Disagreement:
    """An image on which the sides give different best classes (`rank` 1), or one alone has the label in its five."""

    rank: int
    name: str
    label: int
    official: Answer
    port: Answer

    @property
    def correct(self) -> tuple[bool, bool]:
        """Whether the official network, and the port, is right at this rank."""
        return self.official.correct(self.label, self.rank), self.port.correct(self.label, self.rank)

    @property
    def margin(self) -> float:
        """By how much TensorFlow's logits would have to change for this: between its two best, or at the label."""
        official, port = self.correct
        if official != port:
            return abs(self.official.margin(self.rank))
        return self.official.logits[0] - self.official.logits[1]

    def __str__(self) -> str:
        sides = ((self.official, self.correct[0]), (self.port, self.correct[1]))
        official, port = (
            f"{'right' if right else 'wrong'} by {abs(answer.margin(self.rank)):.4g} (best class {answer.classes[0]})"
            for answer, right in sides
        )
        return f"{self.name}, label {self.label}, top-{self.rank}: TensorFlow {official}, the port {port}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"correct": self.correct, "margin": self.margin}


@dataclass(frozen=True)
class Summary:
    """All figures of one network; `count` images were to be evaluated."""

    network: str
    count: int
    evaluated: int = 0
    correct: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    same_class: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    largest: tuple[float, str] = (0.0, "")
    official_errors: tuple[float, ...] = ()
    failures: tuple[Failure, ...] = ()

    def accuracy(self, side: str, rank: int) -> Proportion:
        return Proportion(self.correct[side][RANKS.index(rank)], self.evaluated)

    def paired(self, rank: int) -> tuple[int, int]:
        """On how many images the official network alone is right, and the port alone."""
        correct = [row.correct for row in self.disagreements if row.rank == rank]
        return correct.count((True, False)), correct.count((False, True))

    def mcnemar(self, rank: int) -> float:
        """The exact two-sided p-value of McNemar's test: how likely the flips fall so unevenly by chance."""
        from scipy.stats import binomtest

        official, port = self.paired(rank)
        return float(binomtest(official, official + port).pvalue) if official + port else 1.0

    @property
    def allowed(self) -> float:
        """The logit difference that rounding explains, by the official network's own measured error."""
        return IMAGENET.logits * max(self.official_errors, default=0.0)

    def checks(self, expect: Expectation | None) -> tuple[Check, ...]:
        checks = [
            Check("images not evaluated", self.count - self.evaluated, 0),
            Check("files that could not be evaluated", len(self.failures), 0),
        ]
        if len(self.correct) == 2:
            value, name = self.largest
            beyond = sum(row.margin >= 2 * self.allowed for row in self.disagreements)
            checks.append(Check(f"largest logit difference ({name})", value, self.allowed))
            checks.append(Check("flips where TensorFlow's margin is beyond twice that", beyond, 0))
        return (*checks, *(self._published(expect) if expect else ()))

    def _published(self, expect: Expectation) -> Iterator[Check]:
        for side in self.correct:
            for rank, value, tolerance in zip(RANKS, expect.accuracies, expect.tolerances, strict=True):
                found = abs(self.accuracy(side, rank).share - value)
                # Decimals have no exact binary form.
                yield Check(f"{NAMES[side]}: top-{rank} from the published {value}", found, tolerance + 1e-12)

    def result(self, expect: Expectation | None = None) -> LayerResult:
        """The verdict of the *imagenet* gate."""
        problem = "" if self.evaluated else "no image was evaluated"
        if len(self.correct) == 2 and not self.official_errors:
            problem = problem or "the official network's own error was measured on no image"
        listed = [f"{failure.name} {failure.problem}" for failure in self.failures]
        listed += [str(row) for row in self.disagreements]
        more = [f"and {len(listed) - LISTED:,} more"] if len(listed) > LISTED else []
        return LayerResult(
            *("imagenet", self.network, f"validation ({self.evaluated:,} images)", self.checks(expect), problem),
            notes=(*listed[:LISTED], *more),
        )

    def as_dict(self, expect: Expectation | None = None) -> dict[str, Any]:
        """All of it as plain data."""
        data: dict[str, Any] = {"network": self.network, "images": self.count, "evaluated": self.evaluated}
        for side in self.correct:
            data[side] = {f"top_{rank}": self.accuracy(side, rank).as_dict() for rank in RANKS}
        if len(self.correct) == 2:
            flips = {
                f"top_{rank}": {
                    **dict(zip(("official_only", "port_only"), self.paired(rank), strict=True)),
                    "mcnemar_p": self.mcnemar(rank),
                }
                for rank in RANKS
            }
            data |= {
                "same_best_class": Proportion(self.same_class, self.evaluated).as_dict(),
                "flips": flips,
                "largest_logit_difference": self.largest[0],
                "official_error": {
                    "measured_on": len(self.official_errors),
                    "largest": max(self.official_errors, default=None),
                },
                "disagreements": [row.as_dict() for row in self.disagreements],
            }
        data["failures"] = [asdict(failure) for failure in self.failures]
        return data | {"verdict": self.result(expect).as_dict()}


def summarise(
    network: str, count: int, sides: Iterable[str], records: Iterable[Record], failures: Iterable[Failure]
) -> Summary:
    """The summary in one pass over the records, of which it keeps the disagreeing ones alone."""
    evaluated = same = 0
    correct = {side: [0, 0] for side in sides}
    rows: list[Disagreement] = []
    errors: list[float] = []
    largest = (0.0, "")
    for record in records:
        evaluated += 1
        for side, counts in correct.items():
            for place, rank in enumerate(RANKS):
                counts[place] += getattr(record, side).correct(record.label, rank)
        if record.official and record.port and record.difference is not None:
            found = list(_disagreements(record))
            same += all(row.rank != 1 for row in found)
            rows += found
            largest = max(largest, (record.difference, record.name))
            errors += [] if record.official_error is None else [record.official_error]
    totals = {side: (counts[0], counts[1]) for side, counts in correct.items()}
    return Summary(network, count, evaluated, totals, same, tuple(rows), largest, tuple(errors), tuple(failures))


def _disagreements(record: Record) -> Iterable[Disagreement]:
    assert record.official
    assert record.port
    if record.official.classes[0] != record.port.classes[0]:
        yield Disagreement(1, record.name, record.label, record.official, record.port)
    if record.official.correct(record.label, TOP) != record.port.correct(record.label, TOP):
        yield Disagreement(TOP, record.name, record.label, record.official, record.port)
