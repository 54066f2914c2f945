"""One run of parity: which gate when, its results, and the verdict on each network that fails."""

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from parity.core.computing import Layers, Observe, Results, Step, no_progress, observe_nothing
from parity.core.layers import Network, port_layers
from parity.core.localize import Localization, handing_on, localize
from parity.core.policy import STRUCTURE, TRAINING_GATES
from parity.core.result import LayerResult, Tally
from parity.core.training_names import EXACT
from parity.diagnosis import training
from parity.diagnosis.diagnose import diagnose
from parity.diagnosis.examiner import Probe
from parity.diagnosis.verdict import Verdict
from parity.gates import preprocess, values
from parity.gates.context import NetworkContext
from parity.gates.structure import compare_parts
from parity.gates.training.exact import exact_gradients
from parity.gates.training.judge import judge
from parity.gates.training.localize import explained_by, localized
from parity.reference.interface import Reference, TrainingReference
from parity.session.options import Options
from tf_reference.layers import Layer
from tf_reference.official import Source

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# (gate, network): the names that the run selected.
Selection = Mapping[tuple[str, Network], frozenset[str]]
# How a failing network is looked at more closely: as this gate runs it, the first of these that failed.
PROBES = ("float64", "exact-float64", "exact-float32", "float32")


class ParitySession:
    """Judges the selected networks one after the other, each by its gates, the strongest first.

    It goes on as far as results are asked for, and stays there, so that what a run does not want is not computed. Close
    it after the last. The verdict on a network is given when its last gate was judged, or when the session is closed.
    """

    def __init__(
        self,
        options: Options,
        selection: Selection,
        reference: Reference,
        step: Step = no_progress,
        evaluator: "Evaluator | None" = None,
        observe: Observe = observe_nothing,
    ) -> None:
        self.verdicts: list[Verdict] = []
        # All that was computed so far, by network and gate; the seconds that each gate took (of float64 and float32,
        # which run together, under the first); and the official layers of each network.
        self.results: dict[Network, dict[str, Results]] = {}
        self.seconds: dict[tuple[Network, str], float] = {}
        self.layers: dict[Network, Mapping[str, Layer]] = {}
        self._observe = observe
        self._said: list[str] = []
        self._said_at_end = ""
        self._options = options
        self._evaluator = evaluator
        self._selection = selection
        self._reference = reference
        self._step = step
        self._judging = self._judge_all()
        self._ending = False
        self._localized: dict[tuple[str, Network], Localization] = {}

    def result(self, gate: str, network: Network, name: str) -> LayerResult:
        """Return what `gate` made of the layer `name` (of the structure gate also a block, of others an image).

        Raises KeyError where that was not selected.
        """
        while gate not in self.results.get(network, {}):
            if next(self._judging, None) is None:
                raise KeyError((gate, str(network)))
        return self.results[network][gate][name]

    def _judge_all(self) -> Iterator[str]:
        """Judge every network by its gates; yield each gate's name when its results are there."""
        for network in dict.fromkeys(network for _, network in self._selection):
            layers = {gate: names for (gate, other), names in self._selection.items() if other == network}
            with NetworkContext(network, self._reference, self._options.candidate) as context:
                try:
                    yield from self._judge(context, layers)
                except (Exception, KeyboardInterrupt):  # what was judged before still gets its verdict
                    self._conclude(context)
                    raise
                self._conclude(context)
            if self._ending:
                return

    def _judge(self, context: NetworkContext, layers: Layers) -> Iterator[str]:
        """Judge one network by its gates, until the session is to end."""
        results = self.results.setdefault(context.network, {})
        for gate in self._options.gates:
            if gate in layers and gate not in results and not self._ending:
                started = perf_counter()
                results |= self._compute(gate, context, layers)
                self.seconds[context.network, gate] = perf_counter() - started
                yield gate

    def _compute(self, gate: str, context: NetworkContext, layers: Layers) -> Mapping[str, Results]:
        """Judge one network by a gate, and by those that share its work."""
        network = context.network
        if gate == "imagenet":
            assert self._evaluator
            context.release("float64", "float32")
            return {gate: {"validation": self._evaluator.result(network)}}
        if gate == "preprocess":
            with self._step(f"{network}: preprocessing"):
                return {gate: preprocess.judge(self._reference, network, layers[gate])}
        if gate in TRAINING_GATES:
            return self._train(gate, network, layers)
        self.layers[network] = context.graph("float32").layers
        if gate == STRUCTURE:
            with self._step(f"{network}: structure"):
                parts = context.candidate.parts(network)
                return {gate: compare_parts(network, context.graph("float32"), layers[gate], parts)}
        if gate.startswith("exact"):
            return {gate: values.exact(context, gate.removeprefix("exact-"), layers, self._step, self._observe)}
        return values.float64_and_float32(context, layers, self._step, self._observe)

    def _train(self, gate: str, network: Network, layers: Layers) -> Mapping[str, Results]:
        """Judge training: all gates at once, but for the integer network's gradients."""
        with self._step(f"{network}: checkpoint"):
            assert isinstance(self._reference, TrainingReference), "the golden digests hold no training"
            official = self._reference.training(network)
            self.layers[network] = official.parts.layers
        if gate == EXACT:
            with self._step(f"{network}: official network's gradients, integers"):
                integers = official.integers()
            with self._step(f"{network}: port's gradients, integers"):
                return {gate: exact_gradients(network, integers, layers[gate])}
        if official.untrained:
            self._said.append(
                f"{network}: the auxiliary head has random weights: the checkpoint has none for this size"
            )
        return judge(network, official, layers, self._step, observe=self._observe)

    def _conclude(self, context: NetworkContext) -> None:
        """Give the verdict on a network, if it failed."""
        network, results = context.network, self.results[context.network]
        if self._options.training:
            if found := training.verdict(network, self.layers.get(network, {}), results):
                self.verdicts.append(found)
            return
        layers = {gate: rows for gate, rows in results.items() if gate in (STRUCTURE, *PROBES)}
        failed = {gate for gate, rows in layers.items() if not all(rows.values())}
        if failed:
            with self._step(f"{network}: looking for the culprit"):
                self.verdicts.append(self._diagnose(context, layers, failed))

    def _diagnose(self, context: NetworkContext, results: Mapping[str, Results], failed: set[str]) -> Verdict:
        graph, network = context.graph("float32"), context.network
        known = graph.layers.keys() | set(port_layers(network.variant))
        layers = {gate: {name: rows[name] for name in rows.keys() & known} for gate, rows in results.items()}
        replayable = self._reference.knows != "digests" and context.candidate.replayable
        gate = next((gate for gate in PROBES if gate in failed), None) if replayable else None
        probe = self._probe(context, gate) if gate else None
        return diagnose(network, graph, layers, context.candidate.parts(network), probe)

    def _probe(self, context: NetworkContext, gate: str) -> Probe:
        """Both networks as `gate` runs them, with all their layers."""
        context.release("float64", "float32")
        if gate.startswith("exact"):
            dtype = gate.removeprefix("exact-")
            variables, images = context.exact_inputs(dtype)
            sides = context.sides(dtype, context.graph(dtype).layers)
            sides.load_exact(variables)
            return Probe(context.network, gate, sides, images, variables)
        variables, images = context.variables(), context.images()[:1]
        dtypes = ("float64", "float32") if self._reference.knows == "network" else ("float64",)
        loaded = [context.sides(dtype, context.graph(dtype).layers) for dtype in dtypes]
        for sides in loaded:
            sides.load(variables)
        return Probe(context.network, "float64", loaded[0], images, variables, *loaded[1:])

    def explained(self, gate: str, network: Network, layer: str) -> tuple[str, str]:
        """Why a failing `layer` needs no look of its own, and that in words: it is `downstream` of others, as far as
        `gate` tells, or this is `repeated` from a stronger gate. Both are empty where it is a culprit."""
        if gate not in (STRUCTURE, *PROBES, *TRAINING_GATES):
            return "", ""
        results = self.results[network]
        if (gate, network) not in self._localized:
            self._localized[gate, network] = self._localize(gate, network, results[gate])
        if gate in TRAINING_GATES and (first := explained_by(gate, layer, results)):
            return "downstream", f"behind what fails {first}"
        downstream = self._localized[gate, network].downstream
        if layer in downstream:
            more = f" and {len(downstream[layer]) - 1} more" if downstream[layer][1:] else ""
            return "downstream", f"behind {downstream[layer][0]}{more}" if downstream[layer] else "behind others"
        before = next((other for other in self._options.gates if not results.get(other, {}).get(layer, True)), gate)
        return ("repeated", f"as it failed {before}") if before != gate else ("", "")

    def _localize(self, gate: str, network: Network, rows: Mapping[str, LayerResult]) -> Localization:
        layers = self.layers[network]
        if gate in TRAINING_GATES:
            return localized(gate, layers, self.results[network])
        failing = {name for name, result in rows.items() if not result}
        unreached = {name for name in failing if not rows[name].reached}
        feeders = {name: layer.inputs for name, layer in layers.items()}
        return localize(feeders, failing, rows.keys() - failing, (), unreached, handing_on(gate, rows))

    def tallies(self) -> list[Tally]:
        """Of each network and gate that was computed so far."""
        return [
            Tally.of(results.values(), str(network), gate, self.seconds.get((network, gate)))
            for network, by_gate in self.results.items()
            for gate, results in sorted(by_gate.items(), key=lambda row: self._options.gates.index(row[0]))
            if results
        ]

    @property
    def said_at_end(self) -> list[str]:
        """What is to be told besides the results."""
        lines = [f"parity: {line}" for line in (*self._said, self._said_at_end) if line]
        return lines + (self._evaluator.report() if self._evaluator else [])

    @property
    def official_sources(self) -> Mapping[str, Source]:
        """The official code that was run, by the label of the reference."""
        return self._reference.official_sources

    def close(self) -> None:
        """End the last network, and the use of the reference; results stay."""
        complete = all(gate in self.results.get(network, {}) for gate, network in self._selection)
        try:
            self._ending = bool(self.results)  # of a session that has not begun there is nothing to conclude
            if self._ending:
                next(self._judging, None)
        except BaseException:
            complete = False
            raise
        finally:
            self._said_at_end = self._reference.close(complete)
