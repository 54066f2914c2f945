"""One network, its official values computed once, and any number of changed ports that sessions judge by them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from parity.candidate.interface import NETWORK_GATES, Candidate
from parity.candidate.port import make_model
from parity.core.layers import WHOLE, Network
from parity.core.policy import STRUCTURE
from parity.core.result import LayerResult
from parity.diagnosis.verdict import Verdict
from parity.faults.candidate import PlantedCandidate, Planting
from parity.faults.checks import Panel, Seen
from parity.faults.remembered import RememberedReference
from parity.reference.interface import Variables
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import load_tf_variables

GATES = tuple(gate for gate in NETWORK_GATES if gate != STRUCTURE)


@dataclass(frozen=True)
class Trial:
    """What came of judging one candidate.

    It has the results by gate, for each simpler check that raised an alarm the layer (empty if the candidate crashed),
    and the verdict if a gate failed.
    """

    results: Mapping[str, Mapping[str, LayerResult]]
    alarms: Mapping[str, str]
    verdict: Verdict | None

    @property
    def gates(self) -> list[str]:
        """The gates that some layer failed."""
        return [gate for gate, layer_results in self.results.items() if not all(layer_results.values())]


class Bench:
    """The one network of `options`, with the integers and with the checkpoint on its images.

    Trials are sessions as `pytest parity` has them: the same gates, image by image, and the same verdict.
    """

    def __init__(self, options: Options, checks: bool = False) -> None:
        """Set up the reference, with the simpler `checks` beside the gates, which take longer than these."""
        (self.network,) = options.networks
        self._checks = checks
        self.reference = RememberedReference(options)
        self.graph = self.reference.graph(self.network, "float32")
        self._options = options
        self._sound: dict[tuple[str, int], PNASNet] = {}
        # What the checks said of each layer, for all trials.
        self._known: dict[str, tuple[np.ndarray, dict[str, bool]]] = {}

    def sound(self, dtype: str, variables: Variables) -> PNASNet:
        """Return the port with these weights, which the reference gave out; it is to be copied."""
        # The reference keeps the weights, so that no others get their identity.
        key = dtype, id(variables)
        if key not in self._sound:
            self._sound[key] = make_model(self.network, dtype)
            load_tf_variables(self._sound[key], variables)
        return self._sound[key]

    def trial(self, plant: Planting, hidden: Collection[str] = (), folded: Collection[str] = ()) -> Trial:
        """Judge the port as `plant` changes it, by all gates.

        The layers `hidden` are not selected; those that are `folded` into others cannot be observed.
        """
        return self.judge(PlantedCandidate(plant, self.sound, folded), hidden)

    def judge(self, candidate: Candidate, hidden: Collection[str] = ()) -> Trial:
        """Judge a candidate by all gates that it has, and by the checks; not at the layers `hidden`."""
        own_layers = candidate.parts(self.network).layers or self.graph.layers.keys()
        layers = frozenset(own_layers) - frozenset(hidden) - candidate.unobservable(self.network)
        selection = self._selection(candidate, layers)
        panel = Panel(self._known)

        def observe(result: LayerResult, actual: np.ndarray, truth: np.ndarray) -> None:
            """Show the checks each layer (NHWC) that the float32 gate judges."""
            if self._checks and result.gate == "float32":
                # The gate compares with the float64 values, the checks with those in float32.
                panel.see(Seen(result.layer, actual, self.reference.latest["float32"][result.layer], truth))

        options = replace(self._options, candidate=candidate)
        session = ParitySession(options, selection, self.reference, observe=observe)
        any_layer = next(iter(layers))
        for gate, network in selection:
            # One result is enough: the session judges all layers by the gate at once.
            session.result(gate, network, any_layer)
        # Before its verdict is read: closing may be what gives it.
        session.close()
        results = session.results[self.network]
        if self._checks and not all(result.reached for result in results["float32"].values()):
            panel.crash()
        verdict = session.verdicts[0] if session.verdicts else None
        return Trial(results, panel.alarms, verdict)

    def _selection(self, candidate: Candidate, layers: frozenset[str]) -> dict[tuple[str, Network], frozenset[str]]:
        """Return the names that each gate of the candidate is to judge, the structure first."""
        selection = {}
        if STRUCTURE in candidate.gates:
            selection[STRUCTURE, self.network] = layers | {WHOLE}
        for gate in GATES:
            if gate in candidate.gates:
                selection[gate, self.network] = layers
        return selection

    def close(self) -> None:
        """Free what the reference runs."""
        self.reference.release()
