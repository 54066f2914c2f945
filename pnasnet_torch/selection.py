"""Finds the network's tensors among all that is stored: under which names, in which scope, raw or averaged.

Whoever trained has more in a file than the network: averages, what an optimiser keeps, steps, a scope or a wrapper
around all. TensorFlow's savers restore what the graph asks for; so does this, and it counts what it leaves aside.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.naming import is_of_head, scheme, schemes
from pnasnet_torch.state import State, States
from pnasnet_torch.targets import FIRST, OURS, TF, targets
from pnasnet_torch.weights import is_count

# The official name of the port's `FIRST`.
TF_FIRST = "conv0/weights"
# What TensorFlow's averages of a variable are called, behind the variable's name.
AVERAGE = "/ExponentialMovingAverage"
# Where trainers keep averaged weights, by a word in the keys and prefixes that lead to them: `model_ema`, no `schema`.
AVERAGED = re.compile(r"(?<![a-z])(ema|swa|averages?|averaged)(?![a-z])", re.IGNORECASE)
RAW, AVERAGED_WEIGHTS = "raw", "average"
# The help of the option of every command that reads weights.
WHICH = (
    "which of several weights in a file: raw, average (the moving averages of a training), or the key that leads to "
    "them (default: raw, which the network's own names stand for)"
)


@dataclass(frozen=True)
class Selection:
    """Where the network's tensors are: the state's `key`, and what stands around each of their `names`.

    A tensor called NAME in the naming scheme `names` is stored as `prefix` NAME `suffix`.
    """

    key: str
    names: str
    prefix: str
    suffix: str

    def stored_name(self, name: str) -> str:
        """Return the name in the file of what is called `name` in the naming scheme."""
        return f"{self.prefix}{name}{self.suffix}"

    @property
    def is_average(self) -> bool:
        """Whether the weights are averages of those of many steps."""
        return bool(self.suffix or AVERAGED.search(self.key) or AVERAGED.search(self.prefix))

    def __str__(self) -> str:
        """What a message calls it, and `--weights` takes."""
        if self.key:
            return self.key
        if self.is_average:
            return AVERAGED_WEIGHTS
        return self.prefix.rstrip("./") or RAW


def all_names() -> tuple[str, ...]:
    """Return the names that weights may have, of two that fit alike the more usual first."""
    # Sorted, timm's come last, and they are the more usual ones.
    return OURS, TF, *reversed(schemes())


def select(
    path: str, states: States, models: Sequence[nn.Module], names: str | None = None, which: str | None = None
) -> Selection:
    """Return where the tensors of one of the `models` are among the `states` of a file, which messages call `path`.

    `names` is the naming scheme, by default the one that fits. `which` chooses where several fit: `raw` (which is
    taken without a choice), `average`, or the key or prefix of one. Raise WeightsError where none fits, or several do.
    """
    # How many tensors each place lacks.
    lacks: dict[Selection, int] = {}
    for selection in _possible(states, [names] if names else all_names()):
        missing = [_count_missing(selection, states[selection.key], model) for model in models]
        lacks[selection] = min(missing)
    complete = _distinct(selection for selection, count in lacks.items() if not count)
    if not lacks:
        raise WeightsError(_nothing(path, states, names))
    if not complete:
        # What the nearest one lacks is told, tensor by tensor, where its tensors are taken.
        return min(lacks, key=lacks.__getitem__)
    return _choose(path, complete, which)


def _possible(states: States, all_schemes: Iterable[str]) -> Iterator[Selection]:
    """Yield each place where a first convolution is, which every network has, under any of the names."""
    for key, state in states.items():
        for names in all_schemes:
            for suffix in ("", AVERAGE):
                for prefix in _prefixes(state.arrays, _first_name(names) + suffix):
                    yield Selection(key, names, prefix, suffix)


def _first_name(names: str) -> str:
    """Return what every network's first convolution is called in a naming scheme."""
    if names == OURS:
        return FIRST
    if names == TF:
        return TF_FIRST
    return scheme(names).parameter(FIRST)


def _prefixes(stored_names: Iterable[str], ending: str) -> list[str]:
    """Return what stands before `ending` in those of the names that end so, where it ends with a dot or a slash."""
    prefixes = [name.removesuffix(ending) for name in stored_names if name.endswith(ending)]
    return [prefix for prefix in prefixes if not prefix or prefix[-1] in "./"]


def _count_missing(selection: Selection, state: State, model: nn.Module) -> int:
    """Return how many of the model's tensors are not where the selection says; all, where its names have no place."""
    try:
        names = targets(model, selection.names)
    except WeightsError:
        return len(model.state_dict())
    return sum(selection.stored_name(name) not in state.arrays for name in names)


def _distinct(selections: Iterable[Selection]) -> list[Selection]:
    """Return the selections; of those that differ in the naming scheme alone the first, which is the more usual one."""
    first: dict[tuple[str, str, str], Selection] = {}
    for selection in selections:
        first.setdefault((selection.key, selection.prefix, selection.suffix), selection)
    return list(first.values())


def _choose(path: str, complete: Sequence[Selection], which: str | None) -> Selection:
    """Return the one that `which` means of several that fit. Raise WeightsError, listing them, if it is not clear."""
    if which in (RAW, AVERAGED_WEIGHTS):
        chosen = [selection for selection in complete if selection.is_average == (which == AVERAGED_WEIGHTS)]
    elif which:
        chosen = [selection for selection in complete if str(selection) == which]
    else:
        # What a graph of the network asks for by its names. Averages have names of their own.
        chosen = [selection for selection in complete if not selection.is_average] or list(complete)
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(map(str, complete))
    if not chosen:
        raise WeightsError(f"{path} holds no weights called {which!r}, but {listed}")
    raise WeightsError(f"{path} holds several weights that fit: {listed}. Choose one, with --weights or `which`")


def _nothing(path: str, states: States, names: str | None) -> str:
    """Return the message that no first convolution is among the states."""
    first_names = map(_first_name, [names] if names else all_names())
    expected = " or ".join(dict.fromkeys(first_names))
    stored_names = [name for state in states.values() for name in state.arrays]
    others = [name for state in states.values() for name in state.others]
    if "_CHECKPOINTABLE_OBJECT_GRAPH" in others:
        return (
            f"{path} is a TF2 object checkpoint, whose names are those of Python attributes ({listing(stored_names)}): "
            "save the variables by their own names, with tf.compat.v1.train.Saver"
        )
    return f"{path} holds no weights of PNASNet-5: no {expected} among its {listing(stored_names)}"


def listing(names: Collection[str]) -> str:
    """Return how many tensors there are, and some of their names."""
    some = ", ".join(list(names)[:3])
    return f"{len(names):,} tensors, such as {some}" if names else "0 tensors"


def surplus(selection: Selection, state: State, taken: Collection[str]) -> tuple[str, list[str]]:
    """Return how many tensors a file has that are not `taken` (names of the scheme), by kind, and the unknown ones.

    Counts, averages, and what an optimiser keeps are known: they are no part of the network.
    """
    known = Counter[str]()
    unknown: list[str] = []
    used = {selection.stored_name(name) for name in taken}
    for name in [*state.arrays, *state.others]:
        if name in used:
            continue
        kind = _kind(name, selection, state, taken)
        if kind:
            known[kind] += 1
        else:
            unknown.append(name)
    return ", ".join(f"{count:,} {kind}" for kind, count in known.most_common()), unknown


def _kind(name: str, selection: Selection, state: State, variables: Collection[str]) -> str:
    """Return what a tensor is that is no part of the network; empty if that is not known."""
    rest, _, last = name.rpartition("/" if "/" in name else ".")
    if is_count(name):
        return "counts and rates"
    if name in state.others:
        return f"entries of type {state.others[name]}"
    if name.endswith(AVERAGE):
        return "averages (--weights average takes them)"
    if selection.suffix and name.removeprefix(selection.prefix) in variables:
        return "raw weights"
    if _ends_with_one(rest, variables):
        return f"values of an optimiser ({last})"
    if is_of_head(name.removeprefix(selection.prefix)):
        return "tensors of the auxiliary head"
    return ""


def _ends_with_one(name: str, variables: Collection[str]) -> bool:
    """Tell whether a name ends with that of a variable, whatever scope stands before it."""
    while name:
        if name in variables:
            return True
        _, _, name = name.partition("/")
    return False
