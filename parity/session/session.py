"""One run of parity: which gate when, its results, and the verdict on each network that fails."""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from parity.candidate.interface import OwnPort
from parity.core.computing import Observe, Results, Step, no_progress, observe_nothing
from parity.core.layers import Network, port_layers
from parity.core.localize import Localization
from parity.core.machine import memory
from parity.core.pinning import release_memory
from parity.core.policy import STRUCTURE, TRAINING_GATES
from parity.core.result import LayerResult, Tally
from parity.diagnosis import training
from parity.diagnosis.diagnose import diagnose
from parity.diagnosis.reproduction.cut_out import reproduce
from parity.diagnosis.verdict import Verdict
from parity.gates.ahead import Ahead
from parity.gates.context import NetworkContext
from parity.reference.interface import Reference
from parity.session.explaining import explanation, localization
from parity.session.gates import gates_of
from parity.session.jobs import Job, Jobs, in_threads, one_by_one
from parity.session.options import Options
from parity.session.probing import open_probe
from tf_reference.layers import Layer
from tf_reference.official import Source

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# (gate, network): the names that the run selected.
Selection = Mapping[tuple[str, Network], frozenset[str]]
# How many jobs are judged at once at most, and the bytes that each takes: it holds a model in either dtype.
MOST_JUDGES = 4
JUDGE = 1.5e9
# How a failing network is looked at more closely: as the first of these gates that failed runs it.
PROBES = ("float64", "exact-float64", "exact-float32", "float32")


class Judgement(NamedTuple):
    """What a job comes to: results by gate and name, the official layers (none where something else is judged), and the
    seconds that it took.
    """

    results: dict[str, Results]
    layers: Mapping[str, Layer]
    seconds: float


class ParitySession:
    """The judging of the selected networks one after the other, each by its gates, the strongest first.

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
        # All that was computed so far, by network and gate.
        self.results: dict[Network, dict[str, Results]] = {}
        # The seconds that each gate took; those of gates that run together are under the first of them.
        self.seconds: dict[tuple[Network, str], float] = {}
        # The official layers of each network.
        self.layers: dict[Network, Mapping[str, Layer]] = {}
        self._options = options
        self._candidate = options.candidate or OwnPort()
        self._selection = selection
        self._reference = reference
        self._step = step
        self._evaluator = evaluator
        self._observe = observe
        # What is to be told at the end besides the results: of the networks, and of the reference.
        self._notes: list[str] = []
        self._reference_note = ""
        self._localized: dict[tuple[str, Network], Localization] = {}
        self._judging = self._judge_all()
        # True while the session closes: what was not judged by then is not wanted any more.
        self._ending = False

    def result(self, gate: str, network: Network, name: str) -> LayerResult:
        """Return what `gate` made of the layer `name` (of the structure gate also a block, of others an image).

        Raises KeyError where that was not selected.
        """
        while gate not in self.results.get(network, {}):
            if next(self._judging, None) is None:
                raise KeyError((gate, str(network)))
        return self.results[network][gate][name]

    def _judge_all(self) -> Iterator[str]:
        """Judge every network by its gates; yield a gate's name when its results are there."""
        judges = self._judges()
        is_ahead = self._options.threads > 1 and judges == 1 and self._options.has_room
        jobs = Jobs(self._jobs(), threaded=is_ahead)
        judged = in_threads(jobs, self._judge, judges) if judges > 1 else one_by_one(jobs, self._judge)
        try:
            for job, judge in judged:
                try:
                    self._take(job, judge)
                except (Exception, KeyboardInterrupt):  # what was judged before still gets its verdict
                    self._conclude(job.context)
                    raise
                yield job.gate.names[0]
                if job.is_last or self._ending:
                    self._conclude(job.context)
                    # What this network took is freed, before the one behind the next is begun.
                    job.context.close()
                if self._ending:
                    return
        finally:
            judged.close()
            jobs.close()

    def _judges(self) -> int:
        """Return how many jobs are judged at once: several where the official network leaves the processors idle."""
        is_stored = self._options.stored is not None and not self._options.training
        # Who looks on sees the layers in order.
        if is_stored and self._candidate.concurrent and self._observe is observe_nothing:
            return max(1, min(self._options.threads, MOST_JUDGES, int(memory() // JUDGE)))
        return 1

    def _jobs(self) -> list[Job]:
        """Return what is to be judged, network by network, each by its strongest gates first."""
        jobs: list[Job] = []
        for network in dict.fromkeys(network for _, network in self._selection):
            selected = {gate: names for (gate, judged), names in self._selection.items() if judged == network}
            context = NetworkContext(network, self._reference, self._candidate)
            gates = gates_of(context, self._options.gates, selected, self._step, self._observe, self._evaluator)
            jobs += [Job(gate, context) for gate in gates]
            jobs[-1].is_last = True
        return jobs

    def _judge(self, job: Job, official: Ahead) -> Judgement:
        """Judge one network by a gate, and by those that share its work."""
        gate = job.gate
        started = perf_counter()
        try:
            layers = gate.layers()
            results = gate.judge(official)
            if self._options.record:
                # Also what a candidate that fails did not come to: the trace is to judge others.
                official.finish()
        finally:
            official.close()
            release_memory()
        return Judgement(results, layers, perf_counter() - started)

    def _take(self, job: Job, judge: Callable[[], Judgement]) -> None:
        """Take what a job comes to."""
        network, gate = job.context.network, job.gate
        self.results.setdefault(network, {})
        judgement = judge()
        if judgement.layers:
            self.layers[network] = judgement.layers
        self.results[network] |= judgement.results
        self.seconds[network, gate.names[0]] = judgement.seconds
        self._notes += gate.notes

    def _conclude(self, context: NetworkContext) -> None:
        """Give the verdict on a network, if it failed."""
        network = context.network
        results = self.results[network]
        if self._options.training:
            verdict = training.verdict(network, self.layers.get(network, {}), results)
            if verdict:
                self.verdicts.append(verdict)
            return
        # The other gates judge images and not layers.
        by_gate = {gate: by_layer for gate, by_layer in results.items() if gate in (STRUCTURE, *PROBES)}
        failed = {gate for gate, by_layer in by_gate.items() if not all(by_layer.values())}
        if failed:
            with self._step(f"{network}: looking for the culprit"):
                self.verdicts.append(self._diagnose(context, by_gate, failed))

    def _diagnose(self, context: NetworkContext, results: Mapping[str, Results], failed: set[str]) -> Verdict:
        """Return the verdict on a network by its `results`, of which those of the gates `failed` have failures."""
        network = context.network
        graph = context.graph("float32")
        # The structure gate also judges blocks and the whole network, which are no layers.
        known = graph.layers.keys() | set(port_layers(network.variant))
        layers: dict[str, Results] = {}
        for gate, by_name in results.items():
            layers[gate] = {name: by_name[name] for name in by_name.keys() & known}
        # Layers are replayed on official values, which digests do not hold.
        replayable = self._reference.knows != "digests" and context.candidate.replayable
        failed_probes = [gate for gate in PROBES if gate in failed]
        probe = None
        if replayable and failed_probes:
            probe = open_probe(context, failed_probes[0])
        verdict = diagnose(network, graph, layers, context.candidate.parts(network), probe)
        if self._options.reproduce:
            knows_network = self._reference.knows == "network"
            self._notes += reproduce(verdict, probe, knows_network, self._options.reproduce)
        return verdict

    def explained(self, gate: str, network: Network, layer: str) -> tuple[str, str]:
        """Return why a failing `layer` needs no look of its own, and that in words.

        It is `downstream` of others, as far as `gate` tells, or this is `repeated` from a stronger gate. Both are empty
        where it is a culprit.
        """
        if gate not in (STRUCTURE, *PROBES, *TRAINING_GATES):
            return "", ""
        results = self.results[network]
        # Once for all layers of a gate: every failing test asks.
        if (gate, network) not in self._localized:
            self._localized[gate, network] = localization(gate, self.layers[network], results)
        return explanation(gate, layer, self._localized[gate, network], results, self._options.gates)

    def tallies(self) -> list[Tally]:
        """Return a tally of each network and gate that was computed so far."""
        tallies: list[Tally] = []
        for network, by_gate in self.results.items():
            # In the run's order: of gates that run together, the results may have come in another one.
            for gate in sorted(by_gate, key=self._options.gates.index):
                results = by_gate[gate]
                if results:
                    seconds = self.seconds.get((network, gate))
                    tallies.append(Tally.of(results.values(), str(network), gate, seconds))
        return tallies

    @property
    def said_at_end(self) -> list[str]:
        """The sentences to be told at the end besides the results."""
        candidate = self._options.candidate
        notes = [*self._notes, *(candidate.notes if candidate else ())]
        lines = [f"parity: {note}" for note in notes]
        if self._reference_note:
            lines.append(f"parity: {self._reference_note}")
        if self._evaluator:
            lines += self._evaluator.report()
        return lines

    @property
    def official_sources(self) -> Mapping[str, Source]:
        """The official code that was run, by the label of the reference."""
        return self._reference.official_sources

    def close(self) -> None:
        """End the last network, and the use of the reference; results stay."""
        complete = all(gate in self.results.get(network, {}) for gate, network in self._selection)
        try:
            # Of a session that has not begun there is nothing to conclude.
            self._ending = bool(self.results)
            if self._ending:
                next(self._judging, None)
        except BaseException:
            complete = False
            raise
        finally:
            self._reference_note = self._reference.close(complete)
