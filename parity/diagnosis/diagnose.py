"""From a network's results to its verdict."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parity.candidate.capture import CandidateError
from parity.candidate.parts import CandidateParts
from parity.core.layers import Network, layer_of
from parity.core.localize import handing_on, localize
from parity.core.policy import GATES, STRUCTURE
from parity.core.result import LayerResult
from parity.diagnosis.examiner import Examiner, Probe
from parity.diagnosis.hints import parameter_hints
from parity.diagnosis.verdict import Culprit, Verdict
from parity.gates.structure import compare_parts
from tf_reference.graph import ReferenceGraph

# So many culprits are looked at closely; all are named.
EXAMINED = 40
Results = Mapping[str, LayerResult]


class Finding(NamedTuple):
    """What is found at a culprit; the kind is empty where it takes a closer look to tell."""

    kind: str
    hints: tuple[str, ...] = ()
    replays: tuple[LayerResult, ...] = ()


def diagnose(
    network: Network,
    graph: ReferenceGraph,
    results: Mapping[str, Results],
    parts: CandidateParts,
    probe: Probe | None,
) -> Verdict:
    """The verdict on `network` by its layers' `results` by gate and by the `parts` of the port.

    Without a `probe` nothing is replayed.
    """
    evidence = _Evidence(network, graph, results, parts, probe)
    at_fault = evidence.examiner.at_fault if evidence.examiner else ()
    near = handing_on("float64", results.get("float64", {}))
    found = localize(graph.feeders, evidence.failures, evidence.passing, at_fault, evidence.unreached, near)
    culprits = {
        layer: evidence.culprit(layer, closely=number < EXAMINED) for number, layer in enumerate(found.culprits)
    }
    downstream = dict(found.downstream)
    accumulated = [layer for layer, culprit in culprits.items() if culprit.kind == "accumulated"]
    for layer, behind in evidence.explained(accumulated).items():
        del culprits[layer]
        downstream[layer] = behind
        culprits |= {name: evidence.within_its_bound(name) for name in behind if name not in culprits}
    order = {layer: number for number, layer in enumerate(graph.layers)}
    named = sorted(culprits.values(), key=lambda culprit: order.get(culprit.layer, len(order)))
    return Verdict(str(network), tuple(named), downstream)


class _Evidence:
    """All that is known of the layers: the results, the structure of every one, and what a closer look shows."""

    def __init__(
        self,
        network: Network,
        graph: ReferenceGraph,
        results: Mapping[str, Results],
        parts: CandidateParts,
        probe: Probe | None,
    ) -> None:
        selected = {layer for by_layer in results.values() for layer in by_layer}
        own = {layer_of(name) if kind == "variable" else name for kind, name in parts.found}
        self._graph, self._parts = graph, parts
        shown = {*graph.layers, *selected, *own} - parts.unobservable
        self._structure = compare_parts(network, graph, shown, parts)
        self.failures: dict[str, dict[str, LayerResult]] = {}
        for gate, by_layer in {**results, STRUCTURE: self._structure}.items():
            for layer, result in by_layer.items():
                if not result:
                    self.failures.setdefault(layer, {})[gate] = result
        self.passing = selected - self.failures.keys()
        self._unjudged = graph.layers.keys() - self.passing - self.failures.keys()
        self.examiner, self._unfilled = None, ""
        try:
            if probe:
                self.examiner = Examiner(probe, [layer for layer in graph.layers if layer in self.failures])
        except CandidateError as error:
            self._unfilled = str(error)

    @property
    def unreached(self) -> set[str]:
        """The layers that fail only because the port ended before them."""
        rows = self.failures.items()
        return {layer for layer, by_gate in rows if not any(result.reached for result in by_gate.values())}

    def culprit(self, layer: str, closely: bool) -> Culprit:
        """What is to be said of a culprit; with a closer look only if `closely`."""
        by_gate = self.failures[layer]
        before = tuple(name for name in self._graph.feeders.get(layer, ()) if name in self._unjudged)
        finding = self._structural(layer)
        if not finding.kind and self.examiner and layer in self.examiner.layers:
            finding = self._look(self.examiner, layer, before) if closely else self._glance(self.examiner, layer)
        elif not finding.kind:
            finding = self._without_a_look(layer)
        gates = tuple(gate for gate in GATES if gate in by_gate)
        return Culprit(layer, gates, finding.kind, finding.replays, finding.hints, before)

    def _structural(self, layer: str) -> Finding:
        result = self._structure[layer]
        if layer not in self._graph.layers:
            return Finding("extra", result.notes)
        if result or not result.reached:
            return Finding("")
        if layer not in self._parts.layers:
            return Finding("missing", result.notes)
        if any(note.startswith("variable") for note in result.notes):
            return Finding("structure", result.notes)
        reported = self._parts.failure or ("layer", layer) in self._parts.found
        return Finding("") if reported else Finding("not reported", result.notes)

    def _without_a_look(self, layer: str) -> Finding:
        result = self._structure[layer]
        if not result and result.reached:
            return Finding("structure", result.notes)
        return Finding("error", (self._unfilled,)) if self._unfilled else Finding("not replayed")

    def _glance(self, examiner: Examiner, layer: str) -> Finding:
        """As far as the replay tells, which there is already."""
        return Finding("wiring" if examiner.replays[layer] else "operation")

    def _look(self, examiner: Examiner, layer: str, unjudged: tuple[str, ...]) -> Finding:
        replays = (examiner.replays[layer], *examiner.replay_in_float32(layer))
        if not all(replays):
            return Finding("operation", tuple(examiner.operation_hints(layer)), replays)
        ran, error = layer in examiner.observed.givers, examiner.observed.error
        if ran and (arrived := tuple(examiner.arrivals(layer))):
            return Finding("wiring", arrived, replays)
        if not ran:
            return Finding("error", (str(error),), replays) if error else Finding("not reported", (), replays)
        if set(self.failures[layer]) == {"float32"} and not any(replay.gate == "float32" for replay in replays):
            return Finding("float32 alone", (), replays)
        if problems := [result.problem for result in self.failures[layer].values() if result.problem]:
            return Finding("error", tuple(problems[:1]), replays)
        if unjudged:
            return Finding("unjudged", (), replays)
        return Finding("unconfirmed" if examiner.differs_from_run_to_run(layer) else "accumulated", (), replays)

    def explained(self, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Those of the failing layers that are explained by others before them, though those between them pass."""
        return self.examiner.explained(layers) if self.examiner and layers else {}

    def within_its_bound(self, layer: str) -> Culprit:
        """A layer at fault that fails no gate: what is known of it is how it differs alone."""
        assert self.examiner, "found by one"
        examiner = Examiner(self.examiner.probe, [layer])
        hints = tuple(parameter_hints(examiner.model, layer, examiner.probe.variables))
        gates = tuple(gate for gate in GATES if gate in self.failures.get(layer, {}))
        return Culprit(layer, gates, "within its bound", (examiner.replays[layer],), hints)
