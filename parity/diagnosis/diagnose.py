"""From a network's results to its verdict."""

from collections.abc import Collection, Mapping

from parity import structure
from parity.capture import PortError
from parity.diagnosis.examiner import Examiner, Probe
from parity.diagnosis.verdict import Source, Verdict
from parity.layers import Network, layer_of
from parity.localize import localize
from parity.policy import GATES
from parity.result import LayerResult
from parity.structure import PortParts
from tf_reference.graph import ReferenceGraph

# So many sources are looked at closely; all are named.
EXAMINED = 40
Results = Mapping[str, LayerResult]


def diagnose(
    network: Network,
    graph: ReferenceGraph,
    results: Mapping[str, Results],
    parts: PortParts,
    probe: Probe | None,
) -> Verdict:
    """The verdict on `network` by its layers' `results` by gate and by the `parts` of the port.

    Without a `probe` nothing is replayed.
    """
    selected = {layer for by_layer in results.values() for layer in by_layer}
    structural = _Structural(network, graph, selected, parts)
    failures: dict[str, dict[str, LayerResult]] = {}
    for gate, by_layer in {**results, structure.GATE: structural.results}.items():
        for layer, result in by_layer.items():
            if not result:
                failures.setdefault(layer, {})[gate] = result
    passing = selected - failures.keys()
    unreached = {layer for layer, by_gate in failures.items() if not any(result.reached for result in by_gate.values())}
    try:
        examiner = Examiner(probe, [layer for layer in graph.layers if layer in failures]) if probe else None
        unfilled = ""
    except PortError as error:
        examiner, unfilled = None, str(error)
    found = localize(graph.feeders, failures, passing, examiner.at_fault if examiner else (), unreached)

    unjudged = graph.layers.keys() - passing - failures.keys()

    def source(layer: str, closely: bool) -> Source:
        kind, hints = structural.kind(layer)
        replays: tuple[LayerResult, ...] = ()
        if not kind and examiner and layer in examiner.layers:
            kind, replays, hints = _look(examiner, layer) if closely else (_glance(examiner, layer), (), ())
        elif not kind:
            result = structural.results[layer]
            kind, hints = ("structure", result.notes) if not result and result.reached else ("not replayed", ())
            kind, hints = ("error", (unfilled,)) if unfilled and kind == "not replayed" else (kind, hints)
        gates = tuple(gate for gate in GATES if gate in failures[layer])
        before = tuple(name for name in graph.feeders.get(layer, ()) if name in unjudged)
        if kind == "unconfirmed":
            problems = [result.problem for result in failures[layer].values() if "the port fails" in result.problem]
            kind, hints = ("error", (problems[0],)) if problems else ("unjudged" if before else kind, hints)
        return Source(layer, gates, kind, replays, hints, before)

    sources = tuple(source(layer, closely=number < EXAMINED) for number, layer in enumerate(found.sources))
    return Verdict(str(network), sources, found.downstream)


def _glance(examiner: Examiner, layer: str) -> str:
    """The kind of fault, as far as the replay tells."""
    return "wiring" if examiner.replays[layer] else "operation"


def _look(examiner: Examiner, layer: str) -> tuple[str, tuple[LayerResult, ...], tuple[str, ...]]:
    """The kind of fault, the replays, and the hints."""
    replays = (examiner.replays[layer], *examiner.replay_in_float32(layer))
    observed = examiner.observed
    if not all(replays):
        return "operation", replays, tuple(examiner.operation_hints(layer))
    if layer not in observed.givers:
        return ("error", replays, (str(observed.error),)) if observed.error else ("not reported", replays, ())
    arrived = tuple(examiner.arrivals(layer))
    return ("wiring" if arrived else "unconfirmed"), replays, arrived


class _Structural:
    """The structure gate on every layer, whichever were selected."""

    def __init__(self, network: Network, graph: ReferenceGraph, selected: Collection[str], parts: PortParts) -> None:
        self._graph = graph
        self._parts = parts
        own = {layer_of(name) if kind == "variable" else name for kind, name in parts.found}
        self.results = structure.compare_parts(network, graph, {*graph.layers, *selected, *own}, parts)

    def kind(self, layer: str) -> tuple[str, tuple[str, ...]]:
        """The kind of fault where no replay is needed to tell, and the differences; otherwise empty."""
        result = self.results[layer]
        if layer not in self._graph.layers:
            return "extra", result.notes
        if result or not result.reached:
            return "", ()
        if layer not in self._parts.layers:
            return "missing", result.notes
        if any(note.startswith("variable") for note in result.notes):
            return "structure", result.notes
        reported = self._parts.failure or ("layer", layer) in self._parts.found
        return ("", ()) if reported else ("not reported", result.notes)
