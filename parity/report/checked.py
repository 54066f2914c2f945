"""What a model was found to be, as Python, a terminal and a notebook show it."""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.core.computing import Results
from parity.core.result import Tally
from parity.diagnosis.verdict import Culprit, Verdict
from parity.session.table import table

# How the report's page stands in a notebook.
STYLE = "width:100%;height:720px;border:0"


@dataclass(frozen=True)
class Checked:
    """What a model was found to be on one network. It is true if all that was judged passes.

    `layers` are the results by gate and layer, `verdict` says what is at fault where something is, and `notes` what
    else there is to say, such as what the model does not show.
    """

    network: str
    layers: Mapping[str, Results]
    tallies: tuple[Tally, ...]
    verdict: Verdict | None
    notes: tuple[str, ...]
    # Makes the report's page.
    page: Callable[[], str] = field(repr=False, compare=False)

    def __bool__(self) -> bool:
        return any(self.layers.values()) and all(all(results.values()) for results in self.layers.values())

    @property
    def culprits(self) -> tuple[Culprit, ...]:
        """The layers at fault, in the network's order."""
        return self.verdict.culprits if self.verdict else ()

    @property
    def head(self) -> str:
        """The outcome in one line."""
        if self.verdict:
            return self.verdict.head
        compared = sum(tally.compared for tally in self.tallies)
        return f"{self.network}: parity, in all of {compared:,} comparisons"

    def __str__(self) -> str:
        return "\n".join([str(self.verdict or self.head), "", *table(self.tallies), *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        layers: dict[str, dict[str, Any]] = {}
        for gate, results in self.layers.items():
            layers[gate] = {name: result.as_dict() for name, result in results.items()}
        return {
            "network": self.network,
            "passed": bool(self),
            "verdict": self.verdict.as_dict() if self.verdict else None,
            "layers": layers,
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the outcome, and the report's page with the network.

        The page is a frame of its own; where frames are not shown, what is at fault and the table of gates are.
        """
        # Otherwise the page's own links would lead to the notebook.
        page = html.escape(self.page().replace("<head>", '<head><base href="about:srcdoc">', 1))
        text = html.escape(str(self))
        colour = "#1a7f37" if self else "#cf222e"
        head = f'<p style="color:{colour};font-weight:bold">{html.escape(self.head)}</p>'
        # Some viewers take frames out, and with them what is shown in their place.
        words = f"<details><summary>in words</summary><pre>{text}</pre></details>"
        return f'{head}{words}<iframe srcdoc="{page}" style="{STYLE}"></iframe>'
