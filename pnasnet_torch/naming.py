"""How other implementations name the layers and the weights of PNASNet-5: a rule for each, kept as data in `names/`.

A scheme translates the port's module paths, which are the official scopes. A parameter is called as its module is, and
within it as PyTorch does.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Scheme:
    """All `parts` that match within a path of the port are replaced, then the first of `modules` that matches all.

    `variants` are the networks that the implementation has.
    """

    name: str
    variants: tuple[str, ...]
    parts: Rules
    modules: Rules

    def module(self, path: str) -> str:
        """The module that the port's `path` is there; empty if it is none."""
        for pattern, replacement in self.parts:
            path = pattern.sub(replacement, path)
        for pattern, replacement in self.modules:
            if match := pattern.fullmatch(path):
                return match.expand(replacement)
        return ""

    def parameter(self, name: str) -> str:
        """The parameter or buffer that the port's is there; empty if it has no place."""
        path, _, last = name.rpartition(".")
        module = self.module(path)
        return f"{module}.{last}" if module else ""

    def rename(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """The port's state under the scheme's names. Raises NamingError unless each has a name of its own."""
        names = {name: self.parameter(name) for name in state}
        homeless = [name for name, there in names.items() if not there]
        if homeless or len(set(names.values())) != len(names):
            listed = "\n  ".join(homeless or names)
            raise NamingError(f"{self.name} has no place for {len(homeless or names)} weights:\n  {listed}")
        return {names[name]: value for name, value in state.items()}

    def restore(self, state: Mapping[str, Value], ours: Iterable[str]) -> dict[str, Value]:
        """A state under the scheme's names as the port's, whose names are `ours`; counts of batches apart.

        Raises NamingError, listing both, if one has no counterpart.
        """
        names = {self.parameter(name): name for name in ours}
        found = {name: value for name, value in state.items() if name.rpartition(".")[2] != BATCHES}
        missing, extra = names.keys() - found.keys(), found.keys() - names.keys()
        if missing or extra:
            lists = [f"missing: {name}" for name in sorted(missing)] + [f"left over: {name}" for name in sorted(extra)]
            raise NamingError(f"the names are not those of {self.name}:\n  " + "\n  ".join(lists))
        return {names[name]: value for name, value in found.items()}


OURS = Scheme("ours", (), (), ((re.compile(".*"), r"\g<0>"),))


def parse_scheme(name: str, content: Mapping[str, Any]) -> Scheme:
    """A scheme from its file's content. Raises NamingError for a rule that is none."""
    try:
        parts, modules = (
            tuple((re.compile(pattern), replacement) for pattern, replacement in content.get(part, {}).items())
            for part in ("parts", "modules")
        )
    except (re.error, AttributeError, TypeError) as error:
        raise NamingError(f"{name}: a rule is no regular expression and its replacement: {error}") from error
    return Scheme(name, tuple(content.get("variants", ())), parts, modules)


@cache
def scheme(name: str) -> Scheme:
    """The scheme called `name`. Raises NamingError for an unknown one."""
    if name not in schemes():
        raise NamingError(f"unknown names {name!r}: expected one of {', '.join(schemes())}")
    return parse_scheme(name, tomllib.loads((FOLDER / f"{name}.toml").read_text()))


@cache
def schemes() -> tuple[str, ...]:
    """The names of all schemes."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
