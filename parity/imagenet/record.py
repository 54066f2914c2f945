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
        """Whether `label` is among the first `rank` classes."""
        return label in self.classes[:rank]

    def margin(self, rank: int) -> float:
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
    """The answer in the `logits` (classes,) of one side. Raises ValueError where one is not finite."""
    if not np.isfinite(logits).all():
        number = int(np.argmin(np.isfinite(logits)))
        raise ValueError(f"{side}: the logit of class {number} is {logits[number]}")
    order = np.argsort(-logits, kind="stable")[: TOP + 1]
    others = order[order != label]
    margins = tuple(float(logits[label]) - float(logits[others[rank - 1]]) for rank in RANKS)
    best = order[:TOP]
    return Answer(tuple(map(int, best)), tuple(map(float, logits[best])), (margins[0], margins[1]))
