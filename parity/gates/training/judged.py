"""The port as it trains: its layer results by training gate, from official values that are given."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import numpy as np

from parity.candidate.capture import CandidateError
from parity.candidate.training.port import Make, TrainingPort
from parity.core import compare
from parity.core.computing import Observe, Results, observe_nothing
from parity.core.layers import WHOLE, Network
from parity.core.policy import GRADIENT_FLOAT64
from parity.core.training_names import (
    ALONE,
    FORWARD,
    FORWARD_FLOAT32,
    GRADIENT,
    GRADIENT_FLOAT32,
    LOSS,
    STATISTICS,
    STEP,
)
from parity.gates.training.isolated import OfficialIsolated, judge_isolated
from parity.gates.training.localize import localized
from parity.gates.training.losses import compare_losses, compare_parts
from parity.gates.training.single import OfficialFloat32, judge_float32
from parity.gates.training.ties import TieFinder, Ties, compared
from parity.reference.training import RATE, Arrays, Parts
from tf_reference.training_run import Batch

GATES = (FORWARD, FORWARD_FLOAT32, STATISTICS, LOSS, GRADIENT, GRADIENT_FLOAT32, STEP)


class JudgedTraining:
    """One port's training: `results` by gate and name, and by gate the `problems` that left names without a result.

    Each method makes a port of its own with the official weights, so that none sees what another one's training did.
    Arrays are of layers (NHWC) and variables (in TensorFlow's layouts), by name. A method that takes them as `Arrays`
    uses them up: what was compared is taken out and freed.
    """

    def __init__(
        self,
        network: Network,
        parts: Parts,
        variables: Mapping[str, np.ndarray],
        batches: Sequence[Batch],
        make: Make,
        observe: Observe = observe_nothing,
    ) -> None:
        self.network = network
        self.results: dict[str, Results] = {gate: {} for gate in GATES}
        self.problems = dict.fromkeys(GATES, ALONE)
        self._parts = parts
        self._variables = variables
        self._batches = batches
        self._make = make
        self._observe = observe
        # Found in the forward, where both sides' values are at hand, and needed in the backward.
        self._ties: dict[str, Ties] = {}

    def judge_forward_float32(self, official: OfficialFloat32, truth: Mapping[str, np.ndarray]) -> None:
        """Judge forwards in float32 and their moving statistics by the official network's own distance from `truth`."""
        with self._problems_of(FORWARD_FLOAT32, STATISTICS):
            judge_float32(self.network, official, self._variables, self._batches[0], truth, self.results, self._make)

    def judge_forward(self, official: Arrays) -> None:
        """Judge each layer of one forward in float64."""

        def report(name: str, actual: np.ndarray) -> None:
            expected = official.pop(name, None)
            if expected is None:
                return
            result = compare.float64(str(self.network), name, actual, expected, FORWARD)
            self.results[FORWARD][name] = result
            self._observe(result, actual, expected)
            ties = find_ties(name, actual, expected)
            if ties:
                self._ties[name] = ties

        with self._problems_of(FORWARD):
            port = self._port()
            find_ties = TieFinder(self._parts.layers, port.max_pools)
            port.forward(self._batches[0], report)

    def judge_backward(self, official_losses: Mapping[str, np.ndarray], official: Arrays) -> None:
        """Judge the loss and each gradient of one forward and backward in float64, behind `judge_forward`."""

        def report(name: str, actual: np.ndarray) -> np.ndarray | None:
            """Judge the gradient as it arrives; return another one to go on from, where rounding alone decides."""
            expected = official.pop(name, None)
            if expected is None:
                return None
            check = partial(compare.float64, str(self.network), name, gate=GRADIENT, policy=GRADIENT_FLOAT64)
            ties = self._ties.pop(name, None)
            result, decided = compared(ties, actual, expected, check)
            self.results[GRADIENT][name] = result
            self._observe(result, actual, expected)
            return decided

        with self._problems_of(LOSS, GRADIENT):
            port = self._port()
            self.results[LOSS][WHOLE] = compare_parts(self.network, self._parts, port)
            losses = port.backward(self._batches[0], report)
            for result in compare_losses(self.network, losses, official_losses):
                self.results[LOSS][result.layer] = result

    def judge_backward_float32(self, official: OfficialIsolated) -> None:
        """Judge each layer's backward in float32, on the official network's own values and gradients."""
        with self._problems_of(GRADIENT_FLOAT32):
            port = TrainingPort(self._make(self.network, dtype="float32"), self._variables)
            self.results[GRADIENT_FLOAT32] = judge_isolated(self.network, official, port, self._batches[0])

    def mark_gradients_at_fault(self, official: OfficialIsolated) -> None:
        """Mark the failing gradients that differ on the official network's own values, too.

        These are at fault themselves; of the others, what arrives differs.
        """
        isolated: Results = {}
        with suppress(CandidateError):  # the gate already has it as its problem
            isolated = judge_isolated(self.network, official, self._port(), self._batches[0])
        gradients = self.results[GRADIENT]
        for name, result in isolated.items():
            if name in gradients and not gradients[name]:
                gradients[name] = gradients[name].looked_at(result)

    def judge_steps(self, official: Mapping[str, np.ndarray]) -> None:
        """Judge whole steps in float64: each variable, and what the optimiser and the averages keep of it."""
        with self._problems_of(STEP):
            self.results[STEP] = self._results_after(len(self._batches), official)

    def differs_after(self, count: int, official: Mapping[str, np.ndarray]) -> bool:
        """Return whether `count` steps, fewer than all, differ already; then mark what is first to differ there.

        An error of the first wrong step reaches every variable by the next one, so that only there it can be placed.
        """
        earlier: Results = {}
        with suppress(CandidateError):  # the gate already has it as its problem
            earlier = self._results_after(count, official)
        if all(earlier.values()):
            return False
        culprits = localized(STEP, {}, {STEP: earlier}).culprits
        results = self.results[STEP]
        for name in results.keys() & earlier.keys():
            result = results[name]
            if not result:
                state = "agrees" if earlier[name] else "differs"
                notes = (*result.notes, f"after {count} of the steps it {state}")
                results[name] = replace(result, at_fault=name in culprits, notes=notes)
        return True

    def _results_after(self, count: int, official: Mapping[str, np.ndarray]) -> Results:
        """Return the results of `count` steps of a new port, for the names that both sides have."""
        variables = self._port().update(self._batches[:count], RATE)
        results: Results = {}
        for name in official.keys() & variables.keys():
            results[name] = compare.float64(str(self.network), name, variables[name], official[name], STEP)
        return results

    def _port(self) -> TrainingPort:
        """Return a new port in float64, with the official weights."""
        return TrainingPort(self._make(self.network), self._variables)

    @contextmanager
    def _problems_of(self, *gates: str) -> Iterator[None]:
        """Keep what a faulty port raises as the problem of `gates`: it is their result, and no error of the suite."""
        try:
            yield
        except CandidateError as error:
            self.problems |= dict.fromkeys(gates, str(error))
