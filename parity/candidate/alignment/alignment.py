"""What was found of a model: an adapter that nobody had to write."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parity.candidate.adapter import ALIGNED, Adapter
from pnasnet_torch.naming import Scheme, parse_scheme


@dataclass(frozen=True)
class Alignment:
    """What was found of a model, by official layer: the path of the module that gives it, or why nothing does.

    `sites` are where the operations run that give the layers, of some of which no module does. `owners` has the module
    whose parameters are the layer's, `tensors` those that are called otherwise, by the port's names, `together` the
    layers whose module does more than they do, and `vectors` those that are maps of one pixel in the model. `kept` are
    weights of the model that are no layer's, and `ran` the paths of its modules that run once.
    """

    variant: str
    owners: Mapping[str, str]
    tensors: Mapping[str, str]
    modules: Mapping[str, str]
    sites: Mapping[str, str]
    reasons: Mapping[str, str]
    together: tuple[str, ...]
    vectors: tuple[str, ...]
    kept: tuple[str, ...]
    ran: frozenset[str]

    @property
    def functions(self) -> Mapping[str, str]:
        """The sites of the layers that no module gives."""
        return {layer: site for layer, site in self.sites.items() if layer not in self.modules}

    @property
    def places(self) -> Mapping[str, str]:
        """The path of the module that each layer is at: which gives it, or has its parameters."""
        return {**self.modules, **self.owners}

    @property
    def adapter(self) -> Adapter:
        """The adapter that says the same."""
        content = {"modules": _rules(self.places), "tensors": self.tensors, "variants": [self.variant]}
        return Adapter(
            parse_scheme(ALIGNED, content),
            functions=places(self.functions),
            unobservable=tuple(map(re.escape, self.reasons)),
            not_replayable=tuple(map(re.escape, self.together)),
            vectors=self.vectors,
            kept=tuple(map(re.escape, self.kept)),
        )

    def toml(self) -> str:
        """Return the adapter as a file, to be read, corrected and kept."""
        lines = [
            "# Found by pnasnet-parity align: official layers, and what gives them.",
            f"variants = {json.dumps([self.variant])}",
            *_listed("unobservable", map(re.escape, self.reasons)),
            *_listed("not_replayable", map(re.escape, self.together)),
            *_listed("vectors", self.vectors),
            *_listed("kept", map(re.escape, self.kept)),
            *_table("modules", _rules(self.places)),
            *_table("functions", _rules(self.functions)),
            *_table("tensors", self.tensors),
        ]
        return "\n".join(lines) + "\n"


def places(sites: Mapping[str, str]) -> Scheme:
    """Return where functions give layers, as an adapter has it."""
    return parse_scheme("functions", {"modules": _rules(sites)})


def _rules(places: Mapping[str, str]) -> dict[str, str]:
    """Return where layers are, as an adapter's rules."""
    return {re.escape(layer): place.replace("\\", r"\\") for layer, place in places.items()}


def _table(name: str, values: Mapping[str, str]) -> list[str]:
    """Return a table of a TOML file, a value a line; nothing for an empty one."""
    if not values:
        return []
    return ["", f"[{name}]", *(f"'{key}' = {json.dumps(value)}" for key, value in values.items())]


def _listed(key: str, values: Iterable[str]) -> list[str]:
    """Return an entry of a TOML file, a value a line; nothing where there are none."""
    values = list(values)
    if not values:
        return []
    return [f"{key} = [", *(f"    '{value}'," for value in values), "]"]
