"""One network, its official values computed once, and any number of changed ports that sessions judge by them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.candidate.capture import CandidateError
from parity.candidate.interface import NETWORK_GATES, Candidate
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port, make_model
from parity.core.layers import WHOLE, Network
from parity.core.policy import STRUCTURE
from parity.core.result import LayerResult
from parity.diagnosis.verdict import Verdict
from parity.faults.checks import Panel, Seen
from parity.faults.plant import copied
from parity.reference.interface import Variables
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import load_tf_variables
from tf_reference.graph import ReferenceGraph
from tf_reference.run import OfficialRun

Plant = Callable[[PNASNet], object]
Values = Mapping[str, np.ndarray]
GATES = tuple(gate for gate in NETWORK_GATES if gate != STRUCTURE)


class RememberedReference(LiveReference):
    """The official network of one setting. What it computed is kept, and so are its graphs, weights and images.

    `latest` has the values of its last run in each dtype.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.latest: dict[str, Values] = {}
        self._graphs: dict[str, ReferenceGraph] = {}
        self._inputs: dict[str, tuple[Variables, np.ndarray]] = {}
        self._running: dict[str, tuple[OfficialRun, Variables | None]] = {}
        self._values: dict[tuple[str, int, bytes], Values] = {}

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        if dtype not in self._graphs:
            self._graphs[dtype] = super().graph(network, dtype)
        return self._graphs[dtype]

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        return self._checkpoint_inputs(network)[0]

    def images(self, network: Network) -> np.ndarray:
        return self._checkpoint_inputs(network)[1]

    def _checkpoint_inputs(self, network: Network) -> tuple[Variables, np.ndarray]:
        if "" not in self._inputs:
            self._inputs[""] = super().variables(network, self.graph(network, "float32")), super().images(network)
        return self._inputs[""]

    def exact_inputs(
        self, network: Network, graph: ReferenceGraph, density: tuple[int, int] | None = None
    ) -> tuple[Variables, np.ndarray]:
        dtype = graph.spec.dtype
        if dtype not in self._inputs:
            self._inputs[dtype] = super().exact_inputs(network, graph, density)
        return self._inputs[dtype]

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "RememberedRun":  # type: ignore[override]
        return RememberedRun(self, graph, layers)

    def values(self, graph: ReferenceGraph, variables: Variables, images_nhwc: np.ndarray) -> Values:
        """Every layer's (NHWC), for weights that this reference gave out and images of its."""
        dtype = graph.spec.dtype
        key = dtype, id(variables), images_nhwc.astype(dtype).tobytes()
        if key not in self._values:
            self._values[key] = self.running(graph, variables).run(images_nhwc)
        self.latest[dtype] = self._values[key]
        return self._values[key]

    def running(self, graph: ReferenceGraph, variables: Variables) -> OfficialRun:
        """The official network with these weights."""
        dtype = graph.spec.dtype
        reference, assigned = self._running.get(dtype) or (OfficialRun(graph, None, self._specification.threads), None)
        if assigned is not variables:
            is_checkpoint = variables is self._inputs.get("", (None,))[0]
            (reference.assign if is_checkpoint else reference.assign_exact)(variables)
        self._running[dtype] = reference, variables
        return reference

    def release(self) -> None:
        """Frees what runs."""
        for reference, _ in self._running.values():
            reference.close()
        self._running.clear()


class RememberedRun:
    """The official layers of the network in one dtype, as the reference remembers them."""

    def __init__(self, reference: RememberedReference, graph: ReferenceGraph, layers: Sequence[str]) -> None:
        self.layers = layers
        self._reference, self._graph = reference, graph
        self._variables: Variables = {}

    def assign(self, values: Variables) -> None:
        self._variables = values

    assign_exact = assign

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        values = self._reference.values(self._graph, self._variables, images_nhwc)
        return {layer: values[layer] for layer in (self.layers if layers is None else layers)}

    def replay(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        return self._reference.running(self._graph, self._variables).replay(layer, inputs)

    def close(self) -> None:
        """Nothing: the next port is judged by the same values."""


class PlantedCandidate:
    """The port as `plant` changes it, once it has its weights; layers `folded` into others are unobservable."""

    name = "the port, changed"
    gates: Sequence[str] = NETWORK_GATES
    replayable = True

    def __init__(self, plant: Plant, sound: Callable[[str, Variables], PNASNet], folded: Collection[str] = ()) -> None:
        self._plant, self._sound, self._folded = plant, sound, frozenset(folded)
        self._parts: CandidateParts | None = None

    def refuses(self, _network: Network) -> str:
        return ""

    def unobservable(self, _network: Network) -> frozenset[str]:
        return self._folded

    def open(self, network: Network, dtype: str) -> "PlantedPort":
        return PlantedPort(network, dtype, self._plant, self._sound)

    def parts(self, network: Network) -> CandidateParts:
        def make(network: Network, dtype: str) -> PNASNet:
            model = make_model(network, dtype)
            self._plant(model)
            return model

        if self._parts is None:
            parts = candidate_parts(network, make)
            found = {part: said for part, said in parts.found.items() if part not in _layers(self._folded)}
            self._parts = parts._replace(found=found, unobservable=self._folded)
        return self._parts


def _layers(names: Iterable[str]) -> set[tuple[str, str]]:
    return {("layer", name) for name in names}


class PlantedPort(Port):
    """One network of it in one dtype: each time it is given weights, a copy of the sound model is changed anew."""

    def __init__(self, network: Network, dtype: str, plant: Plant, sound: Callable[[str, Variables], PNASNet]) -> None:
        super().__init__(network, dtype)
        self._plant, self._sound = plant, sound
        self._variables: Variables = {}
        self._planted: PNASNet | None = None

    def load(self, variables: Variables) -> None:
        self._variables, self._planted = variables, None

    @property
    def model(self) -> PNASNet:
        if self._planted is None:
            model = copied(self._sound(self.dtype, self._variables))
            try:
                self._plant(model)
            except Exception as error:
                raise CandidateError("", error) from error
            self._planted = model
        return self._planted


@dataclass(frozen=True)
class Trial:
    """What one planted model gave: results by gate, for each simpler check that raised an alarm the layer (empty if the
    port crashed), and the verdict if a gate failed."""

    results: Mapping[str, Mapping[str, LayerResult]]
    alarms: Mapping[str, str]
    verdict: Verdict | None

    @property
    def gates(self) -> list[str]:
        """The gates that something failed."""
        return [gate for gate, rows in self.results.items() if not all(rows.values())]


class Bench:
    """The one network of `options`, with the integers and with the checkpoint on its images.

    Trials are sessions as `pytest parity` has them: the same gates, image by image, and the same verdict.
    """

    def __init__(self, options: Options, checks: bool = False) -> None:
        """With the simpler `checks` beside the gates, which take longer than these."""
        (self.network,) = options.networks
        self._checks = checks
        self.reference = RememberedReference(options)
        self.graph = self.reference.graph(self.network, "float32")
        self._options = options
        self._sound: dict[tuple[str, int], PNASNet] = {}
        self._known: dict[str, tuple[np.ndarray, dict[str, bool]]] = {}

    def sound(self, dtype: str, variables: Variables) -> PNASNet:
        """The port with these weights, which the reference gave out; it is to be copied."""
        key = dtype, id(variables)
        if key not in self._sound:
            self._sound[key] = make_model(self.network, dtype)
            load_tf_variables(self._sound[key], variables)
        return self._sound[key]

    def trial(self, plant: Plant, hidden: Collection[str] = (), folded: Collection[str] = ()) -> Trial:
        """All gates on the port as `plant` changes it; the layers `hidden` are not selected."""
        return self.judge(PlantedCandidate(plant, self.sound, folded), hidden)

    def judge(self, candidate: Candidate, hidden: Collection[str] = ()) -> Trial:
        """All gates on a candidate, and the checks."""
        own = candidate.parts(self.network).layers or self.graph.layers.keys()
        layers = frozenset(own) - frozenset(hidden) - candidate.unobservable(self.network)
        selection = {(gate, self.network): layers for gate in GATES if gate in candidate.gates}
        if STRUCTURE in candidate.gates:
            selection = {(STRUCTURE, self.network): layers | {WHOLE}, **selection}
        panel = Panel(self._known)

        def observe(result: LayerResult, actual: np.ndarray, truth: np.ndarray) -> None:
            if self._checks and result.gate == "float32":
                panel.see(Seen(result.layer, actual, self.reference.latest["float32"][result.layer], truth))

        session = ParitySession(replace(self._options, candidate=candidate), selection, self.reference, observe=observe)
        for gate, network in selection:
            session.result(gate, network, next(iter(layers)))
        session.close()
        results = session.results[self.network]
        if self._checks and any(not result.reached for result in results["float32"].values()):
            panel.crash()
        return Trial(results, panel.alarms, session.verdicts[0] if session.verdicts else None)

    def close(self) -> None:
        self.reference.release()
