"""A run as one document of plain data: what report.json holds (docs/report.md)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from parity.core.layers import WHOLE, Network, block, port_layers
from parity.core.policy import GATES, TRAINING_GATES
from parity.core.result import LayerResult
from parity.diagnosis.verdict import SAYS, Culprit, Verdict
from parity.report import columns
from parity.report.collect import Observation
from parity.report.columns import Explain, Table, number
from parity.report.judgement import Count, Run, judgement
from tf_reference.layers import IMAGES, Layer

# Raised by one where a reader of the previous version would misread something.
VERSION = 2
SCHEMA = f"pnasnet-parity-report/{VERSION}"
# Gates that a run has only if it is asked for them.
OPTIONAL = ("imagenet",)
Key = tuple[str, Network]


@dataclass(frozen=True)
class Outcome:
    """All that a run leaves: for each network the official layers, results by gate and name, the verdict, times; what
    was selected and its tests' ids; what was observed by network and gate; and why a layer needs no look of its own."""

    run: Run
    networks: tuple[Network, ...]
    layers: Mapping[Network, Mapping[str, Layer]]
    results: Mapping[Network, Mapping[str, Mapping[str, LayerResult]]]
    verdicts: Iterable[Verdict]
    seconds: Mapping[tuple[Network, str], float]
    nodes: Mapping[Key, Mapping[str, str]]
    images: frozenset[str]
    observations: Mapping[tuple[str, str], Mapping[str, Observation]] = field(default_factory=dict)
    explained: "Mapping[Key, Explain]" = field(default_factory=dict)
    # Of a candidate: the gates that can judge it, the official layers that it does not show, and that in words.
    gates: Sequence[str] = GATES
    unobservable: Mapping[Network, frozenset[str]] = field(default_factory=dict)
    shown: Sequence[str] = ()


def document(outcome: Outcome, provenance: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The whole document; `more` are sections of their own (imagenet, faults), which may have limits of theirs."""
    limits = [text for part in more.values() if part for text in part.get("limits", [])]
    limits += outcome.shown
    counts = [count for network in outcome.networks for count in _counts(outcome, network)]
    return {
        "schema": SCHEMA,
        "run": asdict(outcome.run),
        "judgement": judgement(outcome.run, counts, limits),
        "provenance": dict(provenance),
        "networks": [_network(outcome, network) for network in outcome.networks],
        **more,
    }


def _counts(outcome: Outcome, network: Network) -> list[Count]:
    sizes = whole(network, outcome.images, outcome.unobservable.get(network, frozenset()))
    counts = []
    for gate in outcome.gates:
        selected = outcome.nodes.get((gate, network), {})
        rows = outcome.results.get(network, {}).get(gate, {})
        if selected or rows or gate not in OPTIONAL:
            failed = sum(not row for row in rows.values())
            size = _in_training(gate, network) if gate in TRAINING_GATES else sizes.get(gate, len(selected))
            counts.append(Count(str(network), gate, max(size, len(selected)), len(selected), len(rows), failed))
    return counts


def _in_training(gate: str, network: Network) -> int:
    """How many comparisons a gate of training makes unless a part is selected."""
    from parity.core.training_names import names

    return len(names(gate, network))


def whole(network: Network, images: Iterable[str], unobservable: Collection[str] = ()) -> dict[str, int]:
    """Count the comparisons of each gate in evaluation unless a part is selected: `unobservable` layers have none."""
    layers = [layer for layer in port_layers(network.variant) if layer not in unobservable]
    blocks = {*map(block, port_layers(network.variant)), WHOLE}
    return {gate: len(layers) for gate in GATES if gate not in OPTIONAL} | {
        "preprocess": len(set(images)),
        "structure": len({*layers, *blocks}),
    }


def _network(outcome: Outcome, network: Network) -> dict[str, Any]:
    layers = outcome.layers.get(network, {})
    names = Table(layers)
    gates = [_gate(outcome, network, count, names) for count in _counts(outcome, network)]
    verdict = next((verdict for verdict in outcome.verdicts if verdict.network == str(network)), None)
    return {
        "name": str(network),
        "variant": network.variant,
        "height": network.height,
        "width": network.width,
        "reference": network.reference,
        "layers": {
            "kind": [layer.kind for layer in layers.values()],
            "shape": [list(layer.shape) for layer in layers.values()],
            "inputs": [
                [-1 if name == IMAGES else names.number(name) for name in layer.inputs] for layer in layers.values()
            ],
        },
        "gates": gates,
        "verdict": _verdict(verdict, names) if verdict else None,
        "unobservable": [names.number(layer) for layer in sorted(outcome.unobservable.get(network, ()))],
        "names": names.texts,
    }


def _gate(outcome: Outcome, network: Network, count: Count, names: Table) -> dict[str, Any]:
    found = outcome.results.get(network, {}).get(count.gate, {})
    rows = sorted(found.values(), key=lambda row: names.number(row.layer))
    explain = outcome.explained.get((count.gate, network), lambda _layer: ("", ""))
    seconds = outcome.seconds.get((network, count.gate))
    head = {"gate": count.gate, "whole": count.whole, "selected": count.selected, "seconds": number(seconds)}
    nodes = outcome.nodes.get((count.gate, network), {})
    seen = outcome.observations.get((str(network), count.gate), {})
    return (
        head
        | columns.results(rows, names, explain)
        | _tests(rows, nodes)
        | {"observed": columns.observations(rows, seen)}
    )


def _tests(rows: Iterable[LayerResult], nodes: Mapping[str, str]) -> dict[str, Any]:
    """The pytest id of each row's test: the number of a beginning, to which the name and `]` come; any other, by row,
    as it is."""
    starts, numbers, others = Table(), [], {}
    for place, row in enumerate(rows):
        node, end = nodes.get(row.layer, ""), f"{row.layer}]"
        if node.endswith(end):
            numbers.append(starts.number(node.removesuffix(end)))
        else:
            numbers.append(-1)
            others[str(place)] = node
    return {"test": numbers, "tests": starts.texts, "other_test": others}


def _verdict(verdict: Verdict, names: Table) -> dict[str, Any]:
    return {
        "head": verdict.head,
        "culprits": [_culprit(culprit, names) for culprit in verdict.culprits],
        "downstream": {
            str(names.number(layer)): [names.number(culprit) for culprit in behind]
            for layer, behind in verdict.downstream.items()
        },
    }


def _culprit(culprit: Culprit, names: Table) -> dict[str, Any]:
    return {
        "name": names.number(culprit.layer),
        "gates": list(culprit.gates),
        "kind": culprit.kind,
        "says": SAYS[culprit.kind],
        "hints": list(culprit.hints),
        "unjudged": list(culprit.unjudged),
        "replays": [
            {
                "gate": replay.gate,
                "passed": bool(replay),
                "problem": replay.problem,
                "checks": [[check.name, number(check.measured), number(check.allowed)] for check in replay.checks],
            }
            for replay in culprit.replays
        ],
    }
