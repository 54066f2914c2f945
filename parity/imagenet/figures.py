"""The figures that a summary is made of: a proportion with its interval, and an image on which the sides disagree."""

from dataclasses import asdict, dataclass
from typing import Any

from parity.imagenet.record import Answer

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """`correct` of `count` images."""

    correct: int
    count: int

    @property
    def share(self) -> float:
        """The share of the images that are correct, from 0 to 1; 0 of no images."""
        return self.correct / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 %: where the share over all images of this kind lies; anywhere, of no images."""
        if not self.count:
            return 0.0, 1.0
        from scipy.stats import binomtest

        interval = binomtest(self.correct, self.count).proportion_ci(CONFIDENCE, method="wilson")
        return float(interval.low), float(interval.high)

    def as_dict(self) -> dict[str, Any]:
        """Return the proportion as plain data, with its percentage and its interval."""
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
        # Both are right, or both wrong, with different best classes.
        return self.official.logits[0] - self.official.logits[1]

    def __str__(self) -> str:
        official_right, port_right = self.correct
        official = self._in_words(self.official, official_right)
        port = self._in_words(self.port, port_right)
        return f"{self.name}, label {self.label}, top-{self.rank}: TensorFlow {official}, the port {port}"

    def _in_words(self, answer: Answer, right: bool) -> str:
        """Say whether an answer is right at this rank, and by how much."""
        outcome = "right" if right else "wrong"
        return f"{outcome} by {abs(answer.margin(self.rank)):.4g} (best class {answer.classes[0]})"

    def as_dict(self) -> dict[str, Any]:
        """Return the disagreement as plain data, with who is right and the margin."""
        return asdict(self) | {"correct": self.correct, "margin": self.margin}
