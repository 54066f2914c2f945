"""What the records of a network come to: accuracies with intervals, agreement, flips, and the gate's result."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from parity.core.policy import IMAGENET
from parity.core.result import Check, LayerResult
from parity.imagenet.figures import Disagreement, Proportion
from parity.imagenet.options import Expectation
from parity.imagenet.record import RANKS, TOP, Failure, Record

NAMES = {"official": "TensorFlow", "port": "PyTorch port"}
# How many images a result lists; the JSON file has all.
LISTED = 10


@dataclass(frozen=True)
class Summary:
    """All figures of one network; `count` images were to be evaluated, and `evaluated` of them were.

    `correct` has for each side how many images are right by each of RANKS. `largest` is the largest difference between
    both sides' logits, with the image's name; `official_errors` are the official network's own distances from its
    float64 logits, on the images on which they were measured.
    """

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
        """Return how many of the evaluated images one side has right at a rank (1 or 5)."""
        return Proportion(self.correct[side][RANKS.index(rank)], self.evaluated)

    def paired(self, rank: int) -> tuple[int, int]:
        """Return on how many images the official network alone is right, and the port alone."""
        correct = [image.correct for image in self.disagreements if image.rank == rank]
        return correct.count((True, False)), correct.count((False, True))

    def mcnemar(self, rank: int) -> float:
        """Return the exact two-sided p-value of McNemar's test: how likely the flips fall so unevenly by chance."""
        from scipy.stats import binomtest

        official, port = self.paired(rank)
        if not official + port:  # no flip says nothing against chance
            return 1.0
        return float(binomtest(official, official + port).pvalue)

    @property
    def allowed(self) -> float:
        """The logit difference that rounding explains, by the official network's own measured error."""
        # Where nothing was measured nothing is allowed, and `result` says that this proves nothing.
        return IMAGENET.logits * max(self.official_errors, default=0.0)

    def checks(self, expect: Expectation | None) -> tuple[Check, ...]:
        """Return the checks of the *imagenet* gate; those against published accuracies if they are given."""
        checks = [
            Check("images not evaluated", self.count - self.evaluated, 0),
            Check("files that could not be evaluated", len(self.failures), 0),
        ]
        if len(self.correct) == 2:
            difference, image = self.largest
            allowed = self.allowed
            # Each of the two logits that a flip is between may differ by what is allowed.
            beyond = [flip for flip in self.disagreements if flip.margin >= 2 * allowed]
            checks.append(Check(f"largest logit difference ({image})", difference, allowed))
            checks.append(Check("flips where TensorFlow's margin is beyond twice that", len(beyond), 0))
        if expect:
            checks += self._published(expect)
        return tuple(checks)

    def _published(self, expect: Expectation) -> Iterator[Check]:
        """Yield a check of each side's accuracies against the published ones."""
        for side in self.correct:
            for rank, value, tolerance in zip(RANKS, expect.accuracies, expect.tolerances, strict=True):
                distance = abs(self.accuracy(side, rank).share - value)
                # Decimals have no exact binary form.
                yield Check(f"{NAMES[side]}: top-{rank} from the published {value}", distance, tolerance + 1e-12)

    def result(self, expect: Expectation | None = None) -> LayerResult:
        """Return the result of the *imagenet* gate, with the images that failed or that the sides disagree on."""
        problem = ""
        if not self.evaluated:
            problem = "no image was evaluated"
        elif len(self.correct) == 2 and not self.official_errors:
            problem = "the official network's own error was measured on no image"
        notes = [f"{failure.name} {failure.problem}" for failure in self.failures]
        notes += [str(disagreement) for disagreement in self.disagreements]
        if len(notes) > LISTED:
            notes = [*notes[:LISTED], f"and {len(notes) - LISTED:,} more"]
        name = f"validation ({self.evaluated:,} images)"
        return LayerResult("imagenet", self.network, name, self.checks(expect), problem, notes=tuple(notes))

    def as_dict(self, expect: Expectation | None = None) -> dict[str, Any]:
        """Return all figures as plain data, with the gate's result."""
        data: dict[str, Any] = {"network": self.network, "images": self.count, "evaluated": self.evaluated}
        for side in self.correct:
            data[side] = {f"top_{rank}": self.accuracy(side, rank).as_dict() for rank in RANKS}
        if len(self.correct) == 2:
            data |= self._agreement()
        data["failures"] = [asdict(failure) for failure in self.failures]
        data["verdict"] = self.result(expect).as_dict()
        return data

    def _agreement(self) -> dict[str, Any]:
        """Return as plain data how far both sides agree."""
        flips: dict[str, dict[str, float]] = {}
        for rank in RANKS:
            official, port = self.paired(rank)
            flips[f"top_{rank}"] = {"official_only": official, "port_only": port, "mcnemar_p": self.mcnemar(rank)}
        # JSON has no number for what was measured on no image.
        official_error = max(self.official_errors, default=None)
        return {
            "same_best_class": Proportion(self.same_class, self.evaluated).as_dict(),
            "flips": flips,
            "largest_logit_difference": self.largest[0],
            "official_error": {"measured_on": len(self.official_errors), "largest": official_error},
            "disagreements": [disagreement.as_dict() for disagreement in self.disagreements],
        }


def summarise(
    network: str, count: int, sides: Iterable[str], records: Iterable[Record], failures: Iterable[Failure]
) -> Summary:
    """Return the summary in one pass over the records, of which it keeps the disagreeing ones alone."""
    evaluated = 0
    same_class = 0
    correct = {side: [0, 0] for side in sides}
    disagreements: list[Disagreement] = []
    official_errors: list[float] = []
    largest = (0.0, "")
    for record in records:
        evaluated += 1
        for side, counts in correct.items():
            for place, rank in enumerate(RANKS):
                counts[place] += getattr(record, side).correct(record.label, rank)
        if record.official and record.port and record.difference is not None:
            same_class += record.official.classes[0] == record.port.classes[0]
            disagreements += _disagreements(record)
            largest = max(largest, (record.difference, record.name))
            if record.official_error is not None:
                official_errors.append(record.official_error)
    totals = {side: (counts[0], counts[1]) for side, counts in correct.items()}
    return Summary(
        network=network,
        count=count,
        evaluated=evaluated,
        correct=totals,
        same_class=same_class,
        disagreements=tuple(disagreements),
        largest=largest,
        official_errors=tuple(official_errors),
        failures=tuple(failures),
    )


def _disagreements(record: Record) -> Iterator[Disagreement]:
    """Yield a disagreement for each rank at which the sides disagree on the image."""
    assert record.official
    assert record.port
    if record.official.classes[0] != record.port.classes[0]:
        yield Disagreement(1, record.name, record.label, record.official, record.port)
    if record.official.correct(record.label, TOP) != record.port.correct(record.label, TOP):
        yield Disagreement(TOP, record.name, record.label, record.official, record.port)
