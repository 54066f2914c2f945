"""The verdict on a network: which operations are at fault, how that was confirmed, and what fails only behind them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from parity.core.result import LayerResult

# So many culprits are printed with all that is known of them, the others in a line each.
DETAILED = 3
# The kinds of fault, and what each says of where the fault is.
KINDS = {
    "operation": "run alone on TensorFlow's own inputs, it fails too: the fault is in this operation or its parameters",
    "in context": "where all that feeds it gives TensorFlow's own values, it fails too: the fault is in this operation,"
    " its parameters, or in what it takes",
    "passes in context": "where all that feeds it gives TensorFlow's own values, it passes: the fault lies before it",
    "wiring": "run alone on TensorFlow's own inputs, it passes: the fault is in what arrives at it",
    "structure": "its shape, its dtype or its variables are not the official ones",
    "missing": "the official network has this layer, the candidate does not",
    "extra": "the candidate has this layer, the official network does not",
    "not reported": "the candidate has this layer, but never runs it",
    "error": "the candidate raises an error here",
    "within its bound": "run alone on TensorFlow's own inputs, it differs, though within its bound; what fails behind "
    "it passes with the official values in its place: the fault is in this operation or its parameters",
    "unconfirmed": "run alone on TensorFlow's own inputs, it passes, and the candidate run again gives other values "
    "here: it differs from run to run",
    "accumulated": "run alone on TensorFlow's own inputs, it passes, and the candidate run again fails again: what "
    "arrives at it differs, each within its bound, and no single layer before it explains that",
    "unjudged": "run alone on TensorFlow's own inputs, it passes: the fault lies before it, where nothing was judged",
    "float32 alone": "run alone in float64, it passes: the fault is in float32, where a replay takes TensorFlow itself",
    "not replayed": "it was not run alone: no gate compared values, or the reference does not hold what feeds it",
}
# The same of training.
TRAINING_KINDS = {
    "in training": "what feeds it agrees: the fault is in this operation as it trains, or in what is drawn before it",
    "backward": "what it comes from agrees, or it fails alone, too: the fault is in the backward of what it goes into",
    "update": "what it comes from agrees: the fault is in this part of the step",
    "differs": "it is not what the official network has",
}
# An error is one kind in both: what the candidate raises is told in the hints.
SAYS = KINDS | TRAINING_KINDS


@dataclass(frozen=True)
class Culprit:
    """A layer at fault: the gates that it fails, the kind of fault, its replays by dtype, and hints at the mistake.

    `kind` is a key of `SAYS`. `unjudged` are layers feeding it that were not selected, so that the fault may lie before
    it.
    """

    layer: str
    gates: tuple[str, ...]
    kind: str
    replays: tuple[LayerResult, ...] = ()
    hints: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The culprit in one line, with the first hint."""
        return ": ".join([self.layer, self.kind, *self.hints[:1]])

    def __str__(self) -> str:
        failed = f"fails {', '.join(self.gates)}" if self.gates else "fails no gate itself"
        lines = [f"{self.layer}: {self.kind} ({failed})", f"  {SAYS[self.kind]}"]
        lines += [f"  replay in {replay.gate}: {_outcome(replay)}" for replay in self.replays]
        lines += [f"  {hint}" for hint in self.hints]
        if self.unjudged:
            lines.append(f"  not judged in this run, though it feeds it: {', '.join(self.unjudged)}")
        return "\n".join(lines)


def _outcome(replay: LayerResult) -> str:
    """Return what a replay came to, in words: its worst check, or why there is none."""
    if replay.problem:
        return f"fails: {replay.problem}"
    worst = max(replay.checks, key=lambda check: check.margin)
    return f"{'passes' if replay else 'fails'}: {worst}"


@dataclass(frozen=True)
class Verdict:
    """The conclusion on a network: its culprits in its order, and by layer downstream the nearest of them before it."""

    network: str
    culprits: tuple[Culprit, ...]
    downstream: Mapping[str, tuple[str, ...]]

    @property
    def head(self) -> str:
        """The numbers of culprits and of layers downstream, in one line with the network's name."""
        count = len(self.culprits)
        noun = "culprit" if count == 1 else "culprits"
        return f"{self.network}: {count:,} {noun}, {len(self.downstream):,} layers downstream"

    def __str__(self) -> str:
        # The first culprits with all that is known of them, the others in a line each.
        lines = [self.head]
        lines += [f"  {culprit}".replace("\n", "\n  ") for culprit in self.culprits[:DETAILED]]
        lines += [f"  {culprit.line}" for culprit in self.culprits[DETAILED:]]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return asdict(self)
