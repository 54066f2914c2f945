"""A run as one document of plain data: what report.json holds (docs/report.md)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from parity.core import training_names
from parity.core.layers import WHOLE, Network, block, port_layers
from parity.core.policy import GATES, TRAINING_GATES
from parity.core.result import LayerResult
from parity.diagnosis.verdict import SAYS, Culprit, Verdict
from parity.report import columns
from parity.report.collect import Observation
from parity.report.columns import Explain, Table, number
from parity.report.judgement import Count, Run, judgement
from parity.report.observed import observations
from tf_reference.layers import IMAGES, Layer

# Raised by one where a reader of the previous version would misread something.
VERSION = 3
SCHEMA = f"pnasnet-parity-report/{VERSION}"
# Gates that a run has only if it is asked for them.
OPTIONAL = ("imagenet",)
# What stands in a layer's inputs for the image.
IMAGE = -1
# A gate, and the network that it judges.
Key = tuple[str, Network]


@dataclass(frozen=True)
class Outcome:
    """All that a run leaves. Names are those of layers, or of what else a gate judges: blocks, images, variables."""

    run: Run
    networks: tuple[Network, ...]
    # The official layers of each network, in their order; of a network whose graph no gate needed there are none.
    layers: Mapping[Network, Mapping[str, Layer]]
    # By gate and name.
    results: Mapping[Network, Mapping[str, Mapping[str, LayerResult]]]
    verdicts: Iterable[Verdict]
    # How long each gate took; gates that share their work have that under the first of them.
    seconds: Mapping[tuple[Network, str], float]
    # What was selected: by name, pytest's id of the test.
    nodes: Mapping[Key, Mapping[str, str]]
    # The names of the images whose preprocessing is judged.
    images: frozenset[str]
    # What was observed, by the names of network and gate, and by layer.
    observations: Mapping[tuple[str, str], Mapping[str, Observation]] = field(default_factory=dict)
    # Why a failing layer needs no look of its own.
    explained: Mapping[Key, Explain] = field(default_factory=dict)
    # Of the candidate: the gates that can judge it, the official layers that are unobservable in it, and that in words.
    gates: Sequence[str] = GATES
    unobservable: Mapping[Network, frozenset[str]] = field(default_factory=dict)
    shown: Sequence[str] = ()


def document(outcome: Outcome, provenance: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the whole document.

    `more` are sections of their own (imagenet, faults), or None; what they have as `limits` limits the run's judgement.
    """
    limits: list[str] = []
    for section in more.values():
        if section:
            limits += section.get("limits", [])
    limits += outcome.shown
    counts: list[Count] = []
    networks = []
    for network in outcome.networks:
        counts_of_network = _counts(outcome, network)
        counts += counts_of_network
        networks.append(_network(outcome, network, counts_of_network))
    return {
        "schema": SCHEMA,
        "run": asdict(outcome.run),
        "judgement": judgement(outcome.run, counts, limits),
        "provenance": dict(provenance),
        "networks": networks,
        **more,
    }


def _counts(outcome: Outcome, network: Network) -> list[Count]:
    """Return the counts of each gate on a network, in the order of the gates; an optional gate only if it was used."""
    unobservable = outcome.unobservable.get(network, frozenset())
    sizes = whole(network, outcome.images, unobservable)
    counts = []
    for gate in outcome.gates:
        selected = len(outcome.nodes.get((gate, network), {}))
        results = outcome.results.get(network, {}).get(gate, {})
        if gate in OPTIONAL and not selected and not results:
            continue
        size = len(training_names.names(gate, network)) if gate in TRAINING_GATES else sizes.get(gate, selected)
        # Sizes are counted by the port's layers; a stored reference may have cases of official layers that it lacks.
        size = max(size, selected)
        failed = sum(not result for result in results.values())
        counts.append(Count(str(network), gate, size, selected, len(results), failed))
    return counts


def whole(network: Network, images: Iterable[str], unobservable: Collection[str] = ()) -> dict[str, int]:
    """Count the comparisons of each gate in evaluation unless a part is selected: `unobservable` layers have none."""
    own_layers = port_layers(network.variant)
    layers = [layer for layer in own_layers if layer not in unobservable]
    blocks = {*map(block, own_layers), WHOLE}
    sizes = {gate: len(layers) for gate in GATES if gate not in OPTIONAL}
    sizes["preprocess"] = len(set(images))
    # A layer outside of any block is a block of its own, and is judged once.
    sizes["structure"] = len({*layers, *blocks})
    return sizes


def _network(outcome: Outcome, network: Network, counts: Iterable[Count]) -> dict[str, Any]:
    """Return all that the document has of a network."""
    layers = outcome.layers.get(network, {})
    # The official layers have the first numbers; each part below may add names, so that `texts` is taken last.
    names = Table(layers)
    gates = [_gate(outcome, network, count, names) for count in counts]
    verdicts = {verdict.network: verdict for verdict in outcome.verdicts}
    verdict = verdicts.get(str(network))
    unobservable = sorted(outcome.unobservable.get(network, ()))
    return {
        "name": str(network),
        "variant": network.variant,
        "height": network.height,
        "width": network.width,
        "reference": network.reference,
        "layers": _layers(layers.values(), names),
        "gates": gates,
        "verdict": _verdict(verdict, names) if verdict else None,
        "unobservable": list(map(names.number, unobservable)),
        "names": names.texts,
    }


def _layers(layers: Iterable[Layer], names: Table) -> dict[str, list[Any]]:
    """Return the official layers as columns, each with an entry for every layer."""
    columns: dict[str, list[Any]] = {"kind": [], "shape": [], "inputs": []}
    for layer in layers:
        columns["kind"].append(layer.kind)
        columns["shape"].append(list(layer.shape))
        columns["inputs"].append(_inputs(layer, names))
    return columns


def _inputs(layer: Layer, names: Table) -> list[int]:
    """Return the numbers of what feeds a layer."""
    return [IMAGE if name == IMAGES else names.number(name) for name in layer.inputs]


def _gate(outcome: Outcome, network: Network, count: Count, names: Table) -> dict[str, Any]:
    """Return all that the document has of one gate on a network; its results in the order of their names' numbers."""
    key = (count.gate, network)
    results = outcome.results.get(network, {}).get(count.gate, {})
    in_order = sorted(results.values(), key=lambda result: names.number(result.layer))
    observed = outcome.observations.get((str(network), count.gate), {})
    return {
        "gate": count.gate,
        "whole": count.whole,
        "selected": count.selected,
        "seconds": number(outcome.seconds.get((network, count.gate))),
        **columns.results(in_order, names, outcome.explained.get(key, _unexplained)),
        **columns.tests(in_order, outcome.nodes.get(key, {})),
        "observed": observations(in_order, observed),
    }


def _unexplained(_layer: str) -> tuple[str, str]:
    """Return what is said of a layer that needs a look of its own: nothing."""
    return "", ""


def _verdict(verdict: Verdict, names: Table) -> dict[str, Any]:
    """Return the verdict on a network as plain data."""
    culprits = [_culprit(culprit, names) for culprit in verdict.culprits]
    downstream = {}
    for layer, nearest_culprits in verdict.downstream.items():
        layer_number = names.number(layer)
        downstream[str(layer_number)] = list(map(names.number, nearest_culprits))
    return {"head": verdict.head, "culprits": culprits, "downstream": downstream}


def _culprit(culprit: Culprit, names: Table) -> dict[str, Any]:
    """Return a culprit as plain data, with what its kind means and its replays."""
    return {
        "name": names.number(culprit.layer),
        "gates": list(culprit.gates),
        "kind": culprit.kind,
        "says": SAYS[culprit.kind],
        "hints": list(culprit.hints),
        "unjudged": list(culprit.unjudged),
        "replays": [_replay(replay) for replay in culprit.replays],
    }


def _replay(replay: LayerResult) -> dict[str, Any]:
    """Return the result of a replay as plain data."""
    checks = [[check.name, number(check.measured), number(check.allowed)] for check in replay.checks]
    return {"gate": replay.gate, "passed": bool(replay), "problem": replay.problem, "checks": checks}
