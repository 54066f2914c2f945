"""From a network's results to its verdict."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parity.candidate.capture import CandidateError
from parity.candidate.parts import CandidateParts
from parity.core.layers import Network, layer_of
from parity.core.localize import handing_on, localize
from parity.core.policy import GATES, STRUCTURE
from parity.core.result import LayerResult
from parity.diagnosis.examiner import Examiner
from parity.diagnosis.hints import parameter_hints
from parity.diagnosis.probe import Probe
from parity.diagnosis.verdict import Culprit, Verdict
from parity.gates.structure import compare_parts
from tf_reference.graph import ReferenceGraph

# So many culprits are looked at closely; all are named.
EXAMINED = 40
Results = Mapping[str, LayerResult]


class Finding(NamedTuple):
    """What is found at a culprit: its kind (empty where it takes a closer look to tell), its hints and its replays."""

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
    """Return the verdict on `network` by its layers' `results` by gate and by the `parts` of the candidate.

    Without a `probe` nothing is replayed.
    """
    evidence = _Evidence(network, graph, results, parts, probe)
    at_fault = evidence.examiner.at_fault if evidence.examiner else ()
    near_bound = handing_on("float64", results.get("float64", {}))
    localization = localize(
        graph.feeders, evidence.failures, evidence.passing, at_fault, evidence.unreached, near_bound
    )
    culprits = {}
    for number, layer in enumerate(localization.culprits):
        culprits[layer] = evidence.culprit(layer, closely=number < EXAMINED)
    downstream = dict(localization.downstream)
    _replace_explained(culprits, downstream, evidence)
    # In the network's order; what the official network lacks comes last.
    order = {layer: number for number, layer in enumerate(graph.layers)}
    in_order = sorted(culprits.values(), key=lambda culprit: order.get(culprit.layer, len(order)))
    return Verdict(str(network), tuple(in_order), downstream)


def _replace_explained(
    culprits: dict[str, Culprit], downstream: dict[str, tuple[str, ...]], evidence: "_Evidence"
) -> None:
    """Replace the `culprits` that only accumulate small errors by the layers that make these, where that is found.

    What passes alone, though what feeds it passes too, may fail since layers before it differ within their bounds. Then
    it goes to what is `downstream`, and these are the culprits, even where they fail no gate.
    """
    accumulated = [layer for layer, culprit in culprits.items() if culprit.kind == "accumulated"]
    for layer, explaining_layers in evidence.explained(accumulated).items():
        del culprits[layer]
        downstream[layer] = explaining_layers
        for name in explaining_layers:
            if name not in culprits:
                culprits[name] = evidence.within_its_bound(name)


class _Evidence:
    """All that is known of the layers: the results, the structure of every one, and what a closer look shows.

    `failures` are the failing results by layer and gate, `passing` the layers that were judged and fail nothing. There
    is no `examiner` where nothing can be replayed.
    """

    def __init__(
        self,
        network: Network,
        graph: ReferenceGraph,
        results: Mapping[str, Results],
        parts: CandidateParts,
        probe: Probe | None,
    ) -> None:
        self._graph = graph
        self._parts = parts
        selected = set[str]().union(*results.values())
        # Of every layer, selected or not: all parts are known already.
        self._structure = compare_parts(network, graph, self._visible_layers(selected), parts)
        self.failures: dict[str, dict[str, LayerResult]] = {}
        for gate, by_layer in {**results, STRUCTURE: self._structure}.items():
            for layer, result in by_layer.items():
                if not result:
                    self.failures.setdefault(layer, {})[gate] = result
        self.passing = selected - self.failures.keys()
        self._unjudged = graph.layers.keys() - self.passing - self.failures.keys()
        self.examiner: Examiner | None = None
        self._unfilled = ""
        if probe:
            try:
                failing = [layer for layer in graph.layers if layer in self.failures]
                self.examiner = Examiner(probe, failing)
            except CandidateError as error:
                self._unfilled = str(error)

    def _visible_layers(self, selected: set[str]) -> list[str]:
        """Return the layers of either side, and those `selected`, without those that the candidate cannot show."""
        layers = self._graph.layers.keys() | selected
        for kind, name in self._parts.found:
            layers.add(layer_of(name) if kind == "variable" else name)
        # Sorted: in the order of a set, the verdict on layers that only the candidate has would change from run to run.
        return sorted(layers - self._parts.unobservable)

    @property
    def unreached(self) -> set[str]:
        """The layers that fail only because the candidate ended before them."""
        reached = set()
        for layer, by_gate in self.failures.items():
            if any(result.reached for result in by_gate.values()):
                reached.add(layer)
        return self.failures.keys() - reached

    def culprit(self, layer: str, closely: bool) -> Culprit:
        """Return what is known of a culprit; with a closer look only if `closely`."""
        feeders = self._graph.feeders.get(layer, ())
        unjudged = tuple(name for name in feeders if name in self._unjudged)
        finding = self._structural(layer)
        if not finding.kind:
            if self.examiner and layer in self.examiner.in_context:
                finding = self._look_in_context(self.examiner, layer)
            elif not self.examiner or layer not in self.examiner.layers:
                finding = self._without_a_look(layer)
            elif closely:
                finding = self._look(self.examiner, layer, unjudged)
            else:
                finding = self._glance(self.examiner, layer)
        gates = tuple(gate for gate in GATES if gate in self.failures[layer])
        return Culprit(layer, gates, finding.kind, finding.replays, finding.hints, unjudged)

    def _structural(self, layer: str) -> Finding:
        """Return what the structure alone says; nothing where the layer fails by its values alone."""
        result = self._structure[layer]
        if layer not in self._graph.layers:
            return Finding("extra", result.notes)
        if result or not result.reached:
            return Finding("")
        if layer not in self._parts.layers:
            return Finding("missing", result.notes)
        if any(note.startswith("variable") for note in result.notes):
            return Finding("structure", result.notes)
        # Where the candidate fails, what did not run may only lie behind that.
        if self._parts.failure or ("layer", layer) in self._parts.found:
            return Finding("")
        return Finding("not reported", result.notes)

    def _without_a_look(self, layer: str) -> Finding:
        """Return what there is to say of a layer that cannot be replayed."""
        result = self._structure[layer]
        if not result and result.reached:
            return Finding("structure", result.notes)
        if self._unfilled:
            return Finding("error", (self._unfilled,))
        return Finding("not replayed")

    def _look_in_context(self, examiner: Examiner, layer: str) -> Finding:
        """Return what there is to say of a layer that is run where it is, as nothing runs it alone."""
        replay = examiner.in_context[layer]
        if replay and set(self.failures[layer]) == {"float32"}:
            return Finding("float32 alone", (), (replay,))
        if replay:
            return Finding("passes in context", (), (replay,))
        return Finding("in context", tuple(examiner.operation_hints(layer)), (replay,))

    def _glance(self, examiner: Examiner, layer: str) -> Finding:
        """Return as much as the replay tells, which there is already."""
        return Finding("wiring" if examiner.replays[layer] else "operation")

    def _look(self, examiner: Examiner, layer: str, unjudged: tuple[str, ...]) -> Finding:
        """Return what a close look at a layer shows: first whether it fails alone, then what arrives at it.

        What is left then passes alone and gets what it should: the later returns say why it may fail nevertheless.
        """
        replays = (examiner.replays[layer], *examiner.replay_in_float32(layer))
        if not all(replays):
            return Finding("operation", tuple(examiner.operation_hints(layer)), replays)
        if layer not in examiner.wiring.observed.givers:
            if examiner.wiring.observed.error:
                return Finding("error", (str(examiner.wiring.observed.error),), replays)
            return Finding("not reported", (), replays)
        arrivals = tuple(examiner.wiring.arrivals(layer))
        if arrivals:
            return Finding("wiring", arrivals, replays)
        failures = self.failures[layer]
        replayed_gates = {replay.gate for replay in replays}
        if set(failures) == {"float32"} and "float32" not in replayed_gates:
            return Finding("float32 alone", (), replays)
        for result in failures.values():
            if result.problem:
                return Finding("error", (result.problem,), replays)
        if unjudged:
            return Finding("unjudged", (), replays)
        # Asked last, since the candidate has to run twice more for it.
        if examiner.differs_from_run_to_run(layer):
            return Finding("unconfirmed", (), replays)
        return Finding("accumulated", (), replays)

    def explained(self, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return those of the failing layers that others before them explain, though those between them pass."""
        if not self.examiner or not layers:
            return {}
        return self.examiner.explained(layers)

    def within_its_bound(self, layer: str) -> Culprit:
        """Return a culprit that need not fail a gate: what is known of it is how it differs when it is run alone."""
        assert self.examiner, "only an examiner finds such a layer"
        # It need not fail, so that the examiner at hand may not have looked at it.
        examiner = Examiner(self.examiner.probe, [layer])
        hints = tuple(parameter_hints(examiner.model, layer, examiner.probe.variables))
        failures = self.failures.get(layer, {})
        gates = tuple(gate for gate in GATES if gate in failures)
        return Culprit(layer, gates, "within its bound", (examiner.replays[layer],), hints)
