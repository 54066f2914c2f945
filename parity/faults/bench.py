"""One network with everything that is the same in all trials: TensorFlow's values, and sound models to plant in."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from parity import compare, metrics, structure
from parity.diagnosis.diagnose import diagnose
from parity.diagnosis.examiner import Probe
from parity.diagnosis.verdict import Verdict
from parity.faults.checks import Panel, Seen
from parity.faults.plant import copied
from parity.layers import WHOLE, Network
from parity.pair import Pair
from parity.port import Make, Port, make_model
from parity.result import LayerResult
from parity.session import PROBES
from parity.turn import Turn
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import load_tf_variables

Plant = Callable[[PNASNet], None]
PortOf = Callable[[Network, str, Make], Port]
Values = Mapping[str, np.ndarray]
EXACT = {"exact-float32": "float32", "exact-float64": "float64"}
VALUE_GATES = {**EXACT, "float64": "float64", "float32": "float32"}


class RememberedPair(Pair):
    """Both networks, where TensorFlow has computed all its values for these weights and images already."""

    def __init__(self, pair: Pair, values: Values, port: Port) -> None:
        self.graph, self.port = pair.graph, port
        self.reference = _Remembered(pair, values)  # type: ignore[assignment]


class _Remembered:
    def __init__(self, pair: Pair, values: Values) -> None:
        self._values = values
        self.layers = list(values)
        self.replay = pair.reference.replay

    def run(self, _images: np.ndarray, layers: Iterable[str]) -> dict[str, np.ndarray]:
        return {layer: self._values[layer] for layer in layers}


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
    """The networks of `turn`, in both dtypes, with the integers and with the checkpoint on its images."""

    def __init__(self, turn: Turn) -> None:
        self.network = turn.network
        self.graph = turn.graph("float32")
        self.images = turn.images()
        self._turn = turn
        self._inputs: dict[str, np.ndarray] = {}
        self._values: dict[str, Values] = {}
        self._sound: dict[str, PNASNet] = {}
        self._variables: dict[str, Values] = {}
        self._known: dict[str, tuple[np.ndarray, dict[str, bool]]] = {}
        for gate in VALUE_GATES:  # the checkpoint last: it stays in the official networks
            inputs = turn.exact_inputs(VALUE_GATES[gate]) if gate in EXACT else (turn.variables(), self.images)
            self._prepare(gate, *inputs)
        truth, single = self._values["float64"], self._values["float32"]
        self._official = {layer: metrics.distance(single[layer], truth[layer]) for layer in truth}
        self._independent = min(metrics.independent_neighbourhoods(image) for image in self.images)

    def _prepare(self, gate: str, variables: Values, images: np.ndarray) -> None:
        dtype = VALUE_GATES[gate]
        pair = self._pair(gate)
        pair.reference.assign(variables)
        self._variables[gate], self._inputs[gate] = variables, images
        self._values[gate] = pair.reference.run(images)
        self._sound[gate] = make_model(self.network, dtype)
        load_tf_variables(self._sound[gate], variables)

    def _pair(self, gate: str) -> Pair:
        dtype = VALUE_GATES[gate]
        return self._turn.pair(dtype, self._turn.graph(dtype).layers)

    def trial(self, plant: Plant, hidden: Collection[str] = (), port_of: PortOf = Port) -> Trial:
        """All gates and checks on the port as `plant` changes it; the layers `hidden` are not looked at."""

        def make(network: Network, dtype: str) -> PNASNet:
            model = make_model(network, dtype)
            plant(model)
            return model

        parts = structure.port_parts(self.network, make)
        layers = frozenset(parts.layers or self.graph.layers) - frozenset(hidden)
        results = {structure.GATE: structure.compare_parts(self.network, self.graph, {*layers, WHOLE}, parts)}
        panel = Panel(self._known)
        ports = {gate: port_of(self.network, dtype, self._maker(gate, plant)) for gate, dtype in VALUE_GATES.items()}
        for gate, port in ports.items():
            judge = partial(self._judge, gate, panel)
            results[gate] = port.results(gate, layers, self._pair(gate).graph, self._inputs[gate], judge)
        if any(not result.reached for result in results["float32"].values()):
            panel.crash()
        failed = [gate for gate in PROBES if not all(results[gate].values())]
        verdict = None
        if failed or not all(results[structure.GATE].values()):
            rows = {
                gate: {name: row for name, row in by_name.items() if name != WHOLE} for gate, by_name in results.items()
            }
            probe = self._probe(failed[0], ports) if failed else None
            verdict = diagnose(self.network, self.graph, rows, parts, probe)
        return Trial(results, panel.alarms, verdict)

    def _maker(self, gate: str, plant: Plant) -> Make:
        """Makes the sound model, its weights loaded, and plants in it."""

        def make(_network: Network, _dtype: str) -> PNASNet:
            model = copied(self._sound[gate])
            plant(model)
            return model

        return make

    def _judge(self, gate: str, panel: Panel, layer: str, actual: np.ndarray) -> LayerResult:
        network, expected = str(self.network), self._values[gate][layer]
        if gate in EXACT:
            return compare.exact(network, layer, actual, expected)
        if gate == "float64":
            return compare.float64(network, layer, actual, expected)
        truth = self._values["float64"][layer]
        panel.see(Seen(layer, actual, expected, truth))
        return compare.float32(network, layer, actual, truth, self._official[layer], self._independent)

    def _probe(self, gate: str, ports: Mapping[str, Port]) -> Probe:
        def side(gate: str) -> Pair:
            return RememberedPair(self._pair(gate), self._values[gate], ports[gate])

        single = None
        if gate not in EXACT:
            gate, single = "float64", side("float32")
        return Probe(self.network, gate, side(gate), self._inputs[gate], self._variables[gate], single)
