"""The training gates of one network: the official one trains first, then the port, judged in the hooks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import numpy as np

from parity.candidate.capture import CandidateError
from parity.candidate.training.port import Make, TrainingPort, make_model
from parity.core import compare
from parity.core.computing import Layers, Observe, Results, Step, observe_nothing
from parity.core.layers import WHOLE, Network
from parity.core.pinning import release_memory
from parity.core.policy import GRADIENT_FLOAT64
from parity.core.result import LayerResult
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
from parity.gates.training.isolated import OfficialIsolated, judge_isolated, official_isolated
from parity.gates.training.localize import localized
from parity.gates.training.losses import compare_losses, compare_parts
from parity.gates.training.single import OfficialFloat32, judge_float32
from parity.gates.training.ties import TieFinder, Ties, compared
from parity.reference.training import RATE, Arrays, OfficialTraining, Parts
from tf_reference.training_run import Batch

GATES = (FORWARD, FORWARD_FLOAT32, STATISTICS, LOSS, GRADIENT, GRADIENT_FLOAT32, STEP)


def judge(
    network: Network,
    official: OfficialTraining,
    chosen: Layers,
    step: Step,
    make: Make = make_model,
    observe: Observe = observe_nothing,
) -> dict[str, Results]:
    """Results by training gate of the names that were `chosen`; one that the port does not give fails."""
    judged = Judged(network, official.parts, official.variables, official.batches, make, observe)
    if chosen.get(STEP):
        _steps(judged, official, step)
    # Gigabytes each: at no time are both values and gradients held.
    with step(f"{network}: official network's forward in float64"):
        values = official.forward("float64")
    if chosen.get(FORWARD_FLOAT32) or chosen.get(STATISTICS):
        with step(f"{network}: official network's forward in float32"):
            single = OfficialFloat32(network, official, values)
        official.release("float32")
        with step(f"{network}: port's forward in float32"):
            judged.forward_float32(single, values)
        release_memory()
    with step(f"{network}: port's forward in float64"):
        judged.forward(values)
    release_memory()
    with step(f"{network}: official network's gradients in float64"):
        losses, gradients = official.backward("float64")
    official.release("float64")
    with step(f"{network}: port's gradients in float64"):
        judged.backward(losses, gradients)
    release_memory()
    if not all(judged.results[GRADIENT].values()):
        with step(f"{network}: looking for the culprit"):
            alone = official_isolated(official, "float64")
            official.release("float64")
            judged.look_closer(alone)
        release_memory()
    if chosen.get(GRADIENT_FLOAT32):
        with step(f"{network}: official network's gradients in float32, each alone"):
            alone = official_isolated(official, "float32")
        official.release("float32")
        with step(f"{network}: port's gradients in float32, each alone"):
            judged.backward_float32(alone)

    def result(gate: str, name: str) -> LayerResult:
        missing = LayerResult(gate, str(network), name, problem=judged.problems[gate])
        return judged.results[gate].get(name, missing)

    return {gate: {name: result(gate, name) for name in chosen.get(gate, ())} for gate in judged.results}


def _steps(judged: "Judged", official: OfficialTraining, step: Step) -> None:
    count = len(official.batches)
    with step(f"{judged.network}: official network takes {count} steps in float64"):
        updated = official.steps(count)
    with step(f"{judged.network}: port takes {count} steps in float64"):
        judged.update(updated)
    del updated
    if not all(judged.results[STEP].values()):
        with step(f"{judged.network}: looking for the step that is the first to differ"):
            any(judged.look_at_steps(fewer, official.steps(fewer)) for fewer in range(1, count))
    release_memory()


class Judged:
    """What one port is found to do: results by gate, and by gate why there are no others."""

    def __init__(
        self,
        network: Network,
        parts: Parts,
        variables: Mapping[str, np.ndarray],
        batches: Sequence[Batch],
        make: Make,
        observe: Observe = observe_nothing,
    ) -> None:
        self.results: dict[str, Results] = {gate: {} for gate in GATES}
        self.problems = dict.fromkeys(GATES, ALONE)
        self.network, self._parts, self._variables, self._make = network, parts, variables, make
        self._batches, self._observe = batches, observe
        self._ties: dict[str, Ties] = {}

    def _port(self) -> TrainingPort:
        return TrainingPort(self._make(self.network), self._variables)

    def forward_float32(self, official: OfficialFloat32, truth: Mapping[str, np.ndarray]) -> None:
        """Forwards in float32, measured by the official network's."""
        with self._judging(FORWARD_FLOAT32, STATISTICS):
            variables, batch = self._variables, self._batches[0]
            judge_float32(self.network, official, variables, batch, truth, self.results, self._make)

    def forward(self, official: Arrays) -> None:
        """One forward. Takes what is compared from `official`."""

        def report(name: str, actual: np.ndarray) -> None:
            if name in official:
                truth = official.pop(name)
                self.results[FORWARD][name] = found = compare.float64(str(self.network), name, actual, truth, FORWARD)
                self._observe(found, actual, truth)
                if ties := find_ties(name, actual, truth):
                    self._ties[name] = ties

        with self._judging(FORWARD):
            port = self._port()
            find_ties = TieFinder(self._parts.layers, port.max_pools)
            port.forward(self._batches[0], report)

    def backward(self, official_losses: Mapping[str, np.ndarray], official: Arrays) -> None:
        """One forward and backward, behind `forward`. Takes what is compared from `official`."""

        def report(name: str, actual: np.ndarray) -> np.ndarray | None:
            if name not in official:
                return None
            truth, ties = official.pop(name), self._ties.pop(name, None)
            check = partial(compare.float64, str(self.network), name, gate=GRADIENT, policy=GRADIENT_FLOAT64)
            self.results[GRADIENT][name], decided = compared(ties, actual, truth, check)
            self._observe(self.results[GRADIENT][name], actual, truth)
            return decided

        with self._judging(LOSS, GRADIENT):
            port = self._port()
            self.results[LOSS][WHOLE] = compare_parts(self.network, self._parts, port)
            losses = port.backward(self._batches[0], report)
            self.results[LOSS] |= {row.layer: row for row in compare_losses(self.network, losses, official_losses)}

    def backward_float32(self, official: OfficialIsolated) -> None:
        """In float32: each layer's backward alone. Takes what is compared from `official`."""
        with self._judging(GRADIENT_FLOAT32):
            port = TrainingPort(self._make(self.network, dtype="float32"), self._variables)
            self.results[GRADIENT_FLOAT32] = judge_isolated(self.network, official, port, self._batches[0])

    def look_closer(self, official: OfficialIsolated) -> None:
        """Which of the gradients that differ do so alone, too: these are at fault themselves, whatever is behind
        them. Takes what is compared from `official`."""
        alone: Results = {}
        with suppress(CandidateError):  # it is the result of the gate
            alone = judge_isolated(self.network, official, self._port(), self._batches[0])
        gradients = self.results[GRADIENT]
        for name, result in alone.items():
            if name in gradients and not gradients[name]:
                gradients[name] = gradients[name].looked_at(result)

    def update(self, official: Mapping[str, np.ndarray]) -> None:
        """Whole steps: each variable, and what is kept of it."""
        with self._judging(STEP):
            self.results[STEP] = self._updated(len(self._batches), official)

    def look_at_steps(self, count: int, official: Mapping[str, np.ndarray]) -> bool:
        """Whether so many steps, fewer than all, differ already. If so, what comes first there is at fault."""
        rows, earlier = self.results[STEP], {}
        with suppress(CandidateError):  # it is the result of the gate
            earlier = self._updated(count, official)
        if all(earlier.values()):
            return False
        culprits = localized(STEP, {}, {STEP: earlier}).culprits
        for name in rows.keys() & earlier.keys():
            if not rows[name]:
                note = f"after {count} of the steps it {'agrees' if earlier[name] else 'differs'}"
                rows[name] = replace(rows[name], at_fault=name in culprits, notes=(*rows[name].notes, note))
        return True

    def _updated(self, count: int, official: Mapping[str, np.ndarray]) -> Results:
        found = self._port().update(self._batches[:count], RATE)
        rows = (
            compare.float64(str(self.network), name, found[name], official[name], STEP)
            for name in official.keys() & found.keys()
        )
        return {row.layer: row for row in rows}

    @contextmanager
    def _judging(self, *gates: str) -> Iterator[None]:
        """Whatever a faulty port raises is its result."""
        try:
            yield
        except CandidateError as error:
            self.problems |= dict.fromkeys(gates, str(error))
