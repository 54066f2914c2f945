"""What one pytest run computes, once, for the layers that it selected; and the verdict on each network that fails."""

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from parity.core.computing import Layers, Observe, Results, Step, no_progress, observe_nothing
from parity.core.layers import Network, port_layers
from parity.core.localize import Localization, handing_on, localize
from parity.core.policy import STRUCTURE, TRAINING_GATES
from parity.core.result import LayerResult, Tally
from parity.core.training_names import EXACT
from parity.diagnosis.diagnose import diagnose
from parity.diagnosis.examiner import Probe
from parity.diagnosis.training import verdict
from parity.diagnosis.verdict import Verdict
from parity.gates import preprocess, values
from parity.gates.structure import compare_parts
from parity.gates.training.exact import exact_gradients
from parity.gates.training.judge import judge
from parity.gates.training.localize import explained_by, localized
from parity.gates.turn import Turn
from parity.reference.interface import ReferenceSource, TrainingSource
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
    """Results by gate, network and name, computed for all selected names of a network when the first is asked for.

    What a network takes is kept until another one's turn, so ask for all gates of one before the next; close the
    session after the last.
    """

    def __init__(
        self,
        options: Options,
        selection: Selection,
        source: ReferenceSource,
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
        self._step = step
        self._turn = Turn(source, options.candidate)
        self._network: Network | None = None
        self._localized: dict[tuple[str, Network], Localization] = {}

    def result(self, gate: str, network: Network, name: str) -> LayerResult:
        """The verdict of `gate` on the layer `name` (for the structure gate also on a block)."""
        results = self.results.setdefault(network, {})
        if gate not in results:
            if network != self._network:
                self._end_turn()
                self._network = network
            started = perf_counter()
            results |= self._compute(gate, network)
            self.seconds[network, gate] = perf_counter() - started
        return results[gate][name]

    def explained(self, gate: str, network: Network, layer: str) -> tuple[str, str]:
        """Why a failing `layer` needs no look of its own, and that in words: it is `downstream` of others, as far as
        `gate` tells, or this is `repeated` from a stronger gate. Both are empty where it is a source."""
        if gate not in (STRUCTURE, *PROBES, *TRAINING_GATES):
            return "", ""
        rows = self.results[network]
        if (gate, network) not in self._localized:
            self._localized[gate, network] = self._localize(gate, network, rows[gate])
        if gate in TRAINING_GATES and (first := explained_by(gate, layer, rows)):
            return "downstream", f"behind what fails {first}"
        downstream = self._localized[gate, network].downstream
        if layer in downstream:
            more = f" and {len(downstream[layer]) - 1} more" if downstream[layer][1:] else ""
            return "downstream", f"behind {downstream[layer][0]}{more}" if downstream[layer] else "behind others"
        before = next((other for other in self._options.gates if not rows.get(other, {}).get(layer, True)), gate)
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
    def sources(self) -> Mapping[str, Source]:
        """The official code that was run, by the label of the reference."""
        return self._turn.source.sources

    def close(self) -> None:
        """Ends the last network's turn and the use of the source; results stay."""
        done = all(gate in self.results.get(network, {}) for gate, network in self._selection)
        try:
            self._end_turn()
        except BaseException:
            done = False
            raise
        finally:
            self._said_at_end = self._turn.source.close(done)

    def _end_turn(self) -> None:
        """Gives the verdict on the network whose turn it was, if it failed, and frees what it took."""
        network, self._network = self._network, None
        try:
            if network and self._options.training:
                if found := verdict(network, self.layers.get(network, {}), self.results[network]):
                    self.verdicts.append(found)
            elif network:
                by_gate = self.results[network].items()
                layers = {gate: rows for gate, rows in by_gate if gate in (STRUCTURE, *PROBES)}
                failed = {gate for gate, results in layers.items() if not all(results.values())}
                if failed:
                    with self._step(f"{network}: looking for the source"):
                        self.verdicts.append(self._diagnose(network, layers, failed))
        finally:
            self._turn.close()

    def _diagnose(self, network: Network, results: Mapping[str, Results], failed: set[str]) -> Verdict:
        graph = self._turn.graph("float32")
        known = graph.layers.keys() | set(port_layers(network.variant))
        layers = {gate: {name: rows[name] for name in rows.keys() & known} for gate, rows in results.items()}
        looks = self._turn.source.knows != "digests" and self._turn.candidate.runs_alone
        gate = next((gate for gate in PROBES if gate in failed and looks), None)
        parts = self._turn.candidate.parts(network)
        return diagnose(network, graph, layers, parts, self._probe(gate) if gate else None)

    def _probe(self, gate: str) -> Probe:
        turn = self._turn
        turn.release("float64", "float32")
        if gate.startswith("exact"):
            dtype = gate.removeprefix("exact-")
            variables, images = turn.exact_inputs(dtype)
            pair = turn.pair(dtype, turn.graph(dtype).layers)
            pair.load_exact(variables)
            return Probe(turn.network, gate, pair, images, variables)
        variables, images = turn.variables(), turn.images()[:1]
        dtypes = ("float64", "float32") if turn.source.knows == "network" else ("float64",)
        pairs = [turn.pair(dtype, turn.graph(dtype).layers) for dtype in dtypes]
        for pair in pairs:
            pair.load(variables)
        return Probe(turn.network, "float64", pairs[0], images, variables, *pairs[1:])

    def _compute(self, gate: str, network: Network) -> Mapping[str, Results]:
        layers = {gate: names for (gate, other), names in self._selection.items() if other == network}
        self._turn.begin(network)
        if gate == "imagenet" and self._evaluator:
            self._turn.release("float64", "float32")
            return {gate: {"validation": self._evaluator.result(network)}}
        if gate == "preprocess":
            with self._step(f"{network}: preprocessing"):
                return {gate: preprocess.judge(self._turn.source, network, layers[gate])}
        if gate in TRAINING_GATES:
            return self._train(gate, network, layers)
        self.layers[network] = self._turn.graph("float32").layers
        if gate == STRUCTURE:
            with self._step(f"{network}: structure"):
                parts = self._turn.candidate.parts(network)
                return {gate: compare_parts(network, self._turn.graph("float32"), layers[gate], parts)}
        if gate.startswith("exact"):
            return {gate: values.exact(self._turn, gate.removeprefix("exact-"), layers, self._step, self._observe)}
        return values.float64_and_float32(self._turn, layers, self._step, self._observe)

    def _train(self, gate: str, network: Network, layers: Layers) -> Mapping[str, Results]:
        with self._step(f"{network}: checkpoint"):
            source = self._turn.source
            assert isinstance(source, TrainingSource), "the golden digests hold no training"
            official = source.training(network)
            self.layers[network] = official.parts.layers
        if official.untrained and gate != EXACT:
            self._said.append(
                f"{network}: the auxiliary head has random weights: the checkpoint has none for this size"
            )
        if gate != EXACT:
            return judge(network, official, layers, self._step, observe=self._observe)
        with self._step(f"{network}: official network's gradients, integers"):
            integers = official.integers()
        with self._step(f"{network}: port's gradients, integers"):
            return {gate: exact_gradients(network, integers, layers[gate])}
