"""Adapters: what has to be known of another implementation to judge it as the port is, as data in TOML.

make            MODULE:CALLABLE that gives the model, in any mode and with any weights
arguments       that it is called with
objects         more arguments, each the attribute MODULE:NAME
globals         names that the callable's module lacks, each MODULE:NAME
attributes      set on the model
method          of the model, which runs it on images to its last layer (default: the model itself)
names           the scheme of its modules (see pnasnet_torch.naming); or [parts], [modules] and [tensors], the rules
                themselves, with `variants`
functions       rules for layers that no module gives: in whose forward which operation gives them, by its number among
                those of its kind (`cells.3:add.0`; the kinds are those of parity.candidate.alignment.operations)
sizes           the least and the largest side of images (pixels) that it admits
unobservable    layers (regular expressions) that nothing gives
not_replayable  layers (regular expressions) whose module does more, and cannot be run alone
vectors         layers that are vectors (N, C), and maps of one pixel (N, C, 1, 1) there
kept            weights (regular expressions), by their names there, that are no layer's, and stay as they are: such as
                an auxiliary head's, which evaluation does not take
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.files import reading
from pnasnet_torch.naming import NamingError, Scheme, parse_scheme, scheme

FOLDER = Path(__file__).with_name("adapters")
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
# What the names of a model are called that was aligned by its operations.
ALIGNED = "aligned"
# What each entry is, and how that is told.
TEXT, TABLE, TEXTS = "a text", "a table", "a list of texts"
KINDS = {
    **dict.fromkeys(("make", "method", "names"), TEXT),
    **dict.fromkeys(("arguments", "objects", "globals", "attributes", "parts", "modules", "tensors"), TABLE),
    "functions": TABLE,
    **dict.fromkeys(("unobservable", "not_replayable", "vectors", "kept", "variants"), TEXTS),
}
# The entries that make up the scheme. The others are the adapter's own, and are called as its fields are.
NAMES = ("names", "parts", "modules", "tensors", "variants")
NO_FUNCTIONS = Scheme("functions", (), (), ())


@dataclass(frozen=True)
class Adapter:
    """What is known of an implementation; the module's docstring says what each entry is."""

    names: Scheme
    make: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    globals: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()
    method: str = "__call__"
    sizes: tuple[int, int] | None = None
    functions: Scheme = NO_FUNCTIONS
    unobservable: tuple[str, ...] = ()
    not_replayable: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    # Of layers whose modules were found, and not by their names: their paths, by layer.
    places: Mapping[str, str] = field(default_factory=dict)

    def module(self, layer: str) -> str:
        """Return the path of the module that gives an official layer; empty if none does."""
        # A module may have the weights of a layer that a function gives.
        if _matches(self.unobservable, layer) or self.functions.module(layer):
            return ""
        return self.places.get(layer) or self.names.module(layer)

    def function(self, layer: str) -> str:
        """Return the site of the operation that gives an official layer which no module gives; empty if none does."""
        if _matches(self.unobservable, layer):
            return ""
        return self.functions.module(layer)

    def shows(self, layer: str) -> bool:
        """Return whether an official layer can be seen in the implementation."""
        return bool(self.module(layer) or self.function(layer))

    def keeps(self, weight: str) -> bool:
        """Return whether a weight, by its name there, is no layer's, and stays as it is."""
        return _matches(self.kept, weight)

    def does_more(self, layer: str) -> bool:
        """Return whether the module of an official layer does more than that layer, and cannot be run alone."""
        return _matches(self.not_replayable, layer)


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    return bool(patterns) and _any_of(patterns).fullmatch(name) is not None


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one pattern for many: Python remembers fewer of them than an alignment may come to."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def built_in(name: str) -> Adapter:
    """Return the adapter called `name` that comes with parity."""
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Adapter:
    """Return the adapter in a file.

    Raises InputError, naming the file and the entry, where there is none or it is not sound.
    """
    try:
        with reading(f"the adapter {path}"):
            text = path.read_text(encoding="utf-8")
        return _parse(path.stem, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, NamingError, re.error, TypeError, ValueError) as error:
        raise InputError(f"{path} is no adapter: {error}") from error


def _parse(name: str, content: Mapping[str, Any]) -> Adapter:
    """Return the adapter with this `content`. Raises ValueError, TypeError, NamingError or re.error for one that is
    not sound."""
    known_entries = {entry.name for entry in fields(Adapter)} - {"places"} | set(NAMES)
    # A misspelled entry would be ignored, and the implementation judged as another one.
    unknown_entries = sorted(content.keys() - known_entries)
    if unknown_entries:
        expected = ", ".join(sorted(known_entries))
        raise ValueError(f"unknown entries {', '.join(unknown_entries)}: expected some of {expected}")
    for key, value in content.items():
        if key in KINDS and _kind(value) != KINDS[key]:
            raise ValueError(f"`{key}` is {value!r}: expected {KINDS[key]}")
    if ("names" in content) == ("modules" in content):
        raise ValueError("it needs either `names`, the name of a scheme, or rules under [modules]")
    names = scheme(content["names"]) if "names" in content else parse_scheme(name, content)
    own_entries = {key: _frozen(value) for key, value in content.items() if key not in (*NAMES, "functions")}
    own_entries["functions"] = parse_scheme(NO_FUNCTIONS.name, {"modules": content.get("functions", {})})
    # So that a pattern that is none is an error here, of this file, and not where a layer is first looked up.
    for key in ("unobservable", "not_replayable", "kept"):
        for pattern in own_entries.get(key, ()):
            re.compile(pattern)
    sizes = own_entries.get("sizes", (0, 0))
    if not (isinstance(sizes, tuple) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes)):
        raise ValueError(f"`sizes` is the least and the largest image size, such as [323, 354], not {sizes}")
    return Adapter(names, **own_entries)


def _kind(value: Any) -> str:
    """Return what a value of a TOML file is, in the words of `KINDS`; empty for anything else."""
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return TEXTS
    if isinstance(value, dict):
        return TABLE
    return TEXT if isinstance(value, str) else ""


def _frozen(value: Any) -> Any:
    """Return a value of a TOML file as a frozen one: a table as its pairs, a list as a tuple."""
    if isinstance(value, dict):
        return tuple(value.items())
    if isinstance(value, list):
        return tuple(value)
    return value
