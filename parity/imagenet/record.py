"""What is kept of one image: each side's five best classes, and by how much it is right or wrong."""

from dataclasses import dataclass

import numpy as np

TOP = 5
# The two figures that are published, top-1 and top-5.
RANKS = (1, TOP)


@dataclass(frozen=True)
class Answer:
    """One side's answer: its five best `classes`, best first, and their logits.

    `margins` are the label's logit less that of the best other class, and of the fifth best: above zero where the
    label is among the first 1, or 5. Of equal logits the lower class comes first.
    """

    classes: tuple[int, ...]
    logits: tuple[float, ...]
    margins: tuple[float, float]

    def correct(self, label: int, rank: int) -> bool:
        """Tell whether `label` is among the first `rank` classes."""
        return label in self.classes[:rank]

    def margin(self, rank: int) -> float:
        """Return by how much (in logits) the label is within the first `rank` classes; below zero if it is not."""
        return self.margins[RANKS.index(rank)]


@dataclass(frozen=True)
class Record:
    """One image as it was evaluated; a side that was not asked for is None.

    `difference` is the largest difference between both sides' logits, `official_error` the official network's own
    largest distance from its float64 logits, on the images on which it was measured.
    """

    index: int
    name: str
    label: int
    official: Answer | None = None
    port: Answer | None = None
    difference: float | None = None
    official_error: float | None = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be evaluated, and why. It counts as missing, never as wrong."""

    index: int
    name: str
    problem: str


def answer(logits: np.ndarray, label: int, side: str) -> Answer:
    """Return the answer in the `logits` (classes,) of one side. Raises ValueError where one is not finite."""
    finite = np.isfinite(logits)
    if not finite.all():
        number = int(np.argmin(finite))
        raise ValueError(f"{side}: the logit of class {number} is {logits[number]}")
    # One more than is kept: where the label is among the best, there still are five others to compare it with. A stable
    # sort leaves equal logits in the order of their classes.
    order = np.argsort(-logits, kind="stable")[: TOP + 1]
    others = order[order != label]
    # As Python's floats, which are float64: the difference of two float32 logits is not rounded again.
    label_logit = float(logits[label])
    margins = (label_logit - float(logits[others[0]]), label_logit - float(logits[others[TOP - 1]]))
    best = order[:TOP]
    return Answer(tuple(map(int, best)), tuple(map(float, logits[best])), margins)
