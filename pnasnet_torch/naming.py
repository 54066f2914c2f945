"""Names that other implementations give the layers and the weights of PNASNet-5: rules, kept as data in `names/`.

A scheme translates the port's module paths, which are the official scopes. A parameter is called as its module is, and
within the module as PyTorch calls it (`weight`, `running_mean`), unless it is named by itself.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pnasnet_torch.errors import WeightsError

FOLDER = Path(__file__).with_name("names")
# What PyTorch's batch norms count beside their weights; slim's have no such count.
BATCHES = "num_batches_tracked"
Rules = tuple[tuple[re.Pattern[str], str], ...]
Value = TypeVar("Value")


class NamingError(WeightsError):
    """Names that do not fit a scheme, or no such scheme."""


def is_of_head(name: str) -> bool:
    """Return whether a parameter or a variable is one of the auxiliary head's, which training alone uses."""
    return name.startswith("aux_")


@dataclass(frozen=True)
class Scheme:
    """The rules by which one implementation names its modules, and the `variants` of the network that it has.

    All `parts` that match within a path of the port are replaced, then the first of `modules` that matches all of the
    path. `tensors` are parameters and buffers that are called otherwise than their module's, by the port's name.
    """

    name: str
    variants: tuple[str, ...]
    parts: Rules
    modules: Rules
    tensors: Mapping[str, str] = field(default_factory=dict)

    def module(self, path: str) -> str:
        """Return the implementation's name of the module at the port's `path`; empty if it has no such module."""
        for pattern, replacement in self.parts:
            path = pattern.sub(replacement, path)
        for pattern, replacement in self.modules:
            match = pattern.fullmatch(path)
            if match:
                return match.expand(replacement)
        return ""

    def parameter(self, name: str) -> str:
        """Return the implementation's name of the port's parameter or buffer `name`; empty if it has no place there."""
        if name in self.tensors:
            return self.tensors[name]
        path, _, last = name.rpartition(".")
        module = self.module(path)
        if not module:
            return ""
        return f"{module}.{last}"

    def rename(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """Return the port's state under the scheme's names. Raise NamingError unless each has a name of its own."""
        new_names = {name: self.parameter(name) for name in state}
        unplaced = [name for name, new_name in new_names.items() if not new_name]
        # Two weights under one name would overwrite each other. Which of them is right cannot be told: all are listed.
        collides = len(set(new_names.values())) != len(new_names)
        if unplaced or collides:
            listed_names = unplaced or list(new_names)
            listed = "\n  ".join(listed_names)
            raise NamingError(f"{self.name} has no place for {len(listed_names)} weights:\n  {listed}")
        return {new_names[name]: value for name, value in state.items()}

    def restore(self, state: Mapping[str, Value], ours: Iterable[str]) -> dict[str, Value]:
        """Return a state under the scheme's names as the port's, whose names are `ours`; counts of batches left aside.

        Raise NamingError, listing both, if a name on one side has no counterpart on the other.
        """
        our_names = {self.parameter(name): name for name in ours}
        # The port's batch norms have no such count, so that it would be left over.
        weights = {name: value for name, value in state.items() if name.rpartition(".")[2] != BATCHES}
        missing = our_names.keys() - weights.keys()
        left_over = weights.keys() - our_names.keys()
        if missing or left_over:
            lines = [f"missing: {name}" for name in sorted(missing)]
            lines += [f"left over: {name}" for name in sorted(left_over)]
            raise NamingError(f"the names are not those of {self.name}:\n  " + "\n  ".join(lines))
        return {our_names[name]: value for name, value in weights.items()}


OURS = Scheme("ours", (), (), ((re.compile(".*"), r"\g<0>"),))


def parse_scheme(name: str, content: Mapping[str, Any]) -> Scheme:
    """Return the scheme that a file's `content` describes. Raise NamingError for a rule that is none."""
    try:
        parts = _rules(content.get("parts", {}))
        modules = _rules(content.get("modules", {}))
        tensors = dict(content.get("tensors", {}))
    except (re.error, AttributeError, TypeError, ValueError) as error:
        raise NamingError(f"{name}: a rule is no regular expression and its replacement: {error}") from error
    return Scheme(name, tuple(content.get("variants", ())), parts, modules, tensors)


def _rules(table: Mapping[str, str]) -> Rules:
    """Return a table of patterns and their replacements as rules, in its order.

    Raise re.error or TypeError for a pattern or a replacement that is none.
    """
    for pattern, replacement in table.items():
        # With a choice that matches here, so that the replacement is made, and refused where a group is not there.
        re.compile(f"{pattern}|").sub(replacement, "")
    return tuple((re.compile(pattern), replacement) for pattern, replacement in table.items())


@cache
def scheme(name: str) -> Scheme:
    """Return the scheme called `name`, the port's own or another implementation's.

    Raise NamingError for an unknown one.
    """
    if name == OURS.name:
        return OURS
    if name not in schemes():
        raise NamingError(f"unknown names {name!r}: expected one of {', '.join((OURS.name, *schemes()))}")
    return parse_scheme(name, tomllib.loads((FOLDER / f"{name}.toml").read_text()))


@cache
def schemes() -> tuple[str, ...]:
    """Return the names of all schemes, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
