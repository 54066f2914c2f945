"""Adapters: what has to be known of another implementation to judge it as the port is, as data in TOML.

make                  MODULE:CALLABLE that gives the model, in any mode and with any weights
arguments             that it is called with
objects               more arguments, each the attribute MODULE:NAME
globals               names that the callable's module lacks, each MODULE:NAME
attributes            set on the model
names                 the scheme of its modules (see pnasnet_torch.naming); or [parts] and [modules], the rules
                      themselves, with `variants`
sizes                 the least and the largest side of images (pixels) that it admits
unobservable           layers (regular expressions) whose module does not give them
not_replayable   layers whose module does more, and cannot be run alone
vectors               layers that are vectors (N, C), and maps of one pixel (N, C, 1, 1) there
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from pnasnet_torch.naming import NamingError, Scheme, parse_scheme, scheme

FOLDER = Path(__file__).with_name("adapters")
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
NAMES = ("names", "parts", "modules", "variants")


@dataclass(frozen=True)
class Adapter:
    """The module's docstring says what each is."""

    names: Scheme
    make: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    globals: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()
    sizes: tuple[int, int] | None = None
    unobservable: tuple[str, ...] = ()
    not_replayable: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()

    def module(self, layer: str) -> str:
        """The path of the module that gives an official layer; empty if none does."""
        hidden = any(re.fullmatch(pattern, layer) for pattern in self.unobservable)
        return "" if hidden else self.names.module(layer)

    def does_more(self, layer: str) -> bool:
        return any(re.fullmatch(pattern, layer) for pattern in self.not_replayable)


def built_in(name: str) -> Adapter:
    """The adapter that comes with parity."""
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Adapter:
    """The adapter in a file. Raises InputError, naming the file and the entry, for one that is none."""
    try:
        return _parse(path.stem, tomllib.loads(path.read_text()))
    except OSError as error:
        raise InputError(f"the adapter {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, NamingError, re.error, TypeError, ValueError) as error:
        raise InputError(f"{path} is no adapter: {error}") from error


def _parse(name: str, content: Mapping[str, Any]) -> Adapter:
    known = {field.name for field in fields(Adapter)} | set(NAMES)
    if unknown := sorted(content.keys() - known):
        raise ValueError(f"unknown entries {', '.join(unknown)}: expected some of {', '.join(sorted(known))}")
    if ("names" in content) == ("modules" in content):
        raise ValueError("it needs either `names`, the name of a scheme, or rules under [modules]")
    names = scheme(content["names"]) if "names" in content else parse_scheme(name, content)
    values = {key: _frozen(value) for key, value in content.items() if key not in NAMES}
    for pattern in (*values.get("unobservable", ()), *values.get("not_replayable", ())):
        re.compile(pattern)
    return Adapter(names, **values)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value
