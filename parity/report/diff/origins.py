"""What a run compared, and with what: where two runs differ in it, that explains margins that moved."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What tells the entries of a list apart.
NAMES = {"references": "label", "checkpoints": "variant", "images": "name"}
# What says where something lies, how it looks or where it is used, and nothing of what it is.
LEFT_OUT = frozenset({"path", "thumbnail", "networks"})
NONE = "none"
# Enough of a SHA-256 to tell two apart.
DIGITS = 12


def facts(document: Mapping[str, Any]) -> dict[str, str]:
    """Return by name, as text, what a run compared and with what, the versions first.

    Raises LookupError, TypeError or AttributeError where the document is none that parity wrote.
    """
    found = dict(_flat(document["provenance"], ""))
    for name in ("arguments", "selection"):
        found[name] = _text(document["run"].get(name))
    return found


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return in words what differs between the facts of two runs."""
    lines = []
    for name in dict.fromkeys([*old, *new]):
        before = old.get(name, NONE)
        now = new.get(name, NONE)
        if before != now:
            lines.append(f"{name}: {before}; now {now}")
    return lines


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield each value that holds no others, with all the names that lead to it."""
    for name, value in values.items():
        if name in LEFT_OUT:
            continue
        path = " ".join(filter(None, (prefix, name)))
        inner = _named(name, value)
        if isinstance(inner, Mapping):
            yield from _flat(inner, path)
        else:
            yield path, _text(inner)


def _named(name: str, value: Any) -> Any:
    """Return a list as a dictionary, so that its entries are compared one by one; all else as it is."""
    if not isinstance(value, list):
        return value
    by_name: dict[str, Any] = {}
    if name in NAMES:
        for entry in value:
            by_name[entry[NAMES[name]]] = {part: entry[part] for part in entry if part != NAMES[name]}
        return by_name
    for entry in value:
        # A variable of the environment, or a setting in words, which is there or not.
        variable, _, content = entry.partition("=")
        by_name[variable] = content or "set"
    return by_name


def _text(value: Any) -> str:
    """Return a value as text: SHA-256 by its first digits, and `NONE` where nothing is known or there."""
    if value is None or value == "":
        return NONE
    text = str(value)
    return text[:DIGITS] if re.fullmatch("[0-9a-f]{64}", text) else text
