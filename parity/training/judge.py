"""The training gates of one network: the official one trains first, then the port, judged in the hooks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import numpy as np

from parity import compare
from parity.capture import PortError
from parity.environment import release_memory
from parity.layers import WHOLE, Network
from parity.policy import FLOAT64, GRADIENT_FLOAT64
from parity.result import Check, LayerResult
from parity.training.alone import OfficialAlone, judge_alone, measure_errors, official_alone
from parity.training.names import (
    ALONE,
    FORWARD,
    FORWARD_FLOAT32,
    GRADIENT,
    GRADIENT_FLOAT32,
    LOSS,
    STATISTICS,
    STEP,
    names,
)
from parity.training.port import Make, TrainingPort, make_model
from parity.training.single import Official, judge_float32
from parity.training.ties import TieFinder, Ties, compared
from parity.training.verdict import localized
from parity.values import Layers, Observe, Results, Step, observe_nothing
from pnasnet_torch.training import Losses
from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch, TrainingReference

# The learning rate of whole steps: the least that slim's schedules end in. Weights that were never trained are no
# minimum, and at slim's first, 0.01, each step makes rounding some ten times as large (docs/calibration.md).
RATE = 0.0001
GATES = (FORWARD, FORWARD_FLOAT32, STATISTICS, LOSS, GRADIENT, GRADIENT_FLOAT32, STEP)


def judge(
    network: Network,
    graph: TrainingGraph,
    variables: Mapping[str, np.ndarray],
    batches: Sequence[Batch],
    threads: int,
    chosen: Layers,
    step: Step,
    single: TrainingGraph | None = None,
    make: Make = make_model,
    observe: Observe = observe_nothing,
) -> dict[str, Results]:
    """Results by training gate of the names that were `chosen`; one that the port does not give fails. In float64, and,
    where the graph for `single` precision is given, in float32."""
    judged = Judged(network, graph, variables, make, observe)
    if chosen.get(STEP):
        _steps(judged, graph, variables, batches, threads, step)
        release_memory()
    # Gigabytes each: at no time are both values and gradients held.
    with TrainingReference(graph, threads) as reference:
        reference.assign(variables)
        with step(f"{network}: official network's forward in float64"):
            values = reference.forward(batches[0])
        if single:
            with step(f"{network}: official network's forward in float32"):
                official = Official(single, variables, batches[0], values, threads)
            release_memory()
            with step(f"{network}: port's forward in float32"):
                judged.forward_float32(batches[0], official, values)
            release_memory()
        with step(f"{network}: port's forward in float64"):
            judged.forward(batches[0], values)
        release_memory()
        with step(f"{network}: official network's gradients in float64"):
            losses, gradients = reference.backward(batches[0])
    release_memory()
    with step(f"{network}: port's gradients in float64"):
        judged.backward(batches[0], losses, gradients)
    release_memory()
    if not all(judged.results[GRADIENT].values()):
        with step(f"{network}: looking for the source"):
            judged.look_closer(batches[0], official_alone(graph, variables, batches[0], threads))
        release_memory()
    if single and chosen.get(GRADIENT_FLOAT32):
        with step(f"{network}: official network's gradients in float32, each alone"):
            official_gradients = official_alone(single, variables, batches[0], threads)
            measure_errors(official_gradients, graph, variables, batches[0], threads)
        with step(f"{network}: port's gradients in float32, each alone"):
            judged.backward_float32(batches[0], official_gradients)

    def result(gate: str, name: str) -> LayerResult:
        missing = LayerResult(gate, str(network), name, problem=judged.problems[gate])
        return judged.results[gate].get(name, missing)

    return {gate: {name: result(gate, name) for name in chosen.get(gate, ())} for gate in judged.results}


def _steps(
    judged: "Judged",
    graph: TrainingGraph,
    variables: Mapping[str, np.ndarray],
    batches: Sequence[Batch],
    threads: int,
    step: Step,
) -> None:
    def official(batches: Sequence[Batch]) -> dict[str, np.ndarray]:
        with TrainingReference(graph, threads) as reference:
            reference.assign(variables)
            updated = reference.update(batches, RATE)
        release_memory()
        return updated

    with step(f"{judged.network}: official network takes {len(batches)} steps in float64"):
        updated = official(batches)
    with step(f"{judged.network}: port takes {len(batches)} steps in float64"):
        judged.update(batches, updated)
    del updated
    if not all(judged.results[STEP].values()):
        with step(f"{judged.network}: looking for the step that is the first to differ"):
            for count in range(1, len(batches)):
                if judged.look_at_steps(batches[:count], official(batches[:count])):
                    break


class Judged:
    """What one port is found to do: results by gate, and by gate why there are no others."""

    def __init__(
        self,
        network: Network,
        graph: TrainingGraph,
        variables: Mapping[str, np.ndarray],
        make: Make,
        observe: Observe = observe_nothing,
    ) -> None:
        self.results: dict[str, Results] = {gate: {} for gate in GATES}
        self.problems = dict.fromkeys(GATES, ALONE)
        self.network, self._graph, self._variables, self._make = network, graph, variables, make
        self._observe = observe
        self._ties: dict[str, Ties] = {}

    def _port(self) -> TrainingPort:
        return TrainingPort(self._make(self.network), self._variables)

    def forward_float32(self, batch: Batch, official: Official, truth: Mapping[str, np.ndarray]) -> None:
        """Forwards in float32, measured by the official network's."""
        with self._judging(FORWARD_FLOAT32, STATISTICS):
            judge_float32(self.network, official, self._variables, batch, truth, self.results, self._make)

    def forward(self, batch: Batch, official: dict[str, np.ndarray]) -> None:
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
            find_ties = TieFinder(self._graph.network.layers, port.max_pools)
            port.forward(batch, report)

    def backward(
        self, batch: Batch, official_losses: Mapping[str, np.ndarray], official: dict[str, np.ndarray]
    ) -> None:
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
            self.results[LOSS][WHOLE] = _parts(self.network, self._graph, port)
            losses = port.backward(batch, report)
            self.results[LOSS] |= {row.layer: row for row in _losses(self.network, losses, official_losses)}

    def backward_float32(self, batch: Batch, official: OfficialAlone) -> None:
        """In float32: each layer's backward alone. Takes what is compared from `official`."""
        with self._judging(GRADIENT_FLOAT32):
            port = TrainingPort(self._make(self.network, dtype="float32"), self._variables)
            self.results[GRADIENT_FLOAT32] = judge_alone(self.network, official, port, batch)

    def look_closer(self, batch: Batch, official: OfficialAlone) -> None:
        """Which of the gradients that differ do so alone, too: these are at fault themselves, whatever is behind
        them. Takes what is compared from `official`."""
        alone: Results = {}
        with suppress(PortError):  # it is the result of the gate
            alone = judge_alone(self.network, official, self._port(), batch)
        gradients = self.results[GRADIENT]
        for name, result in alone.items():
            if name in gradients and not gradients[name]:
                gradients[name] = gradients[name].looked_at(result)

    def update(self, batches: Sequence[Batch], official: Mapping[str, np.ndarray]) -> None:
        """Whole steps: each variable, and what is kept of it."""
        with self._judging(STEP):
            self.results[STEP] = self._updated(batches, official)

    def look_at_steps(self, batches: Sequence[Batch], official: Mapping[str, np.ndarray]) -> bool:
        """Whether as many, fewer steps differ already. If so, what comes first there is at fault."""
        rows, earlier = self.results[STEP], {}
        with suppress(PortError):  # it is the result of the gate
            earlier = self._updated(batches, official)
        if all(earlier.values()):
            return False
        sources = localized(STEP, {}, earlier).sources
        for name in rows.keys() & earlier.keys():
            if not rows[name]:
                note = f"after {len(batches)} of the steps it {'agrees' if earlier[name] else 'differs'}"
                rows[name] = replace(rows[name], at_fault=name in sources, notes=(*rows[name].notes, note))
        return True

    def _updated(self, batches: Sequence[Batch], official: Mapping[str, np.ndarray]) -> Results:
        found = self._port().update(batches, RATE)
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
        except PortError as error:
            self.problems |= dict.fromkeys(gates, str(error))


def _losses(network: Network, losses: Losses, official: Mapping[str, np.ndarray]) -> Iterator[LayerResult]:
    for name, truth in official.items():
        found, expected = float(getattr(losses, name).detach()), float(truth)
        check = Check("relative difference", abs(found - expected) / abs(expected), FLOAT64.relative_l2)
        notes = (f"the port has {found!r}, the official network {expected!r}",)
        yield LayerResult(LOSS, str(network), name, (check,), notes=notes)


def _parts(network: Network, graph: TrainingGraph, port: TrainingPort) -> LayerResult:
    """Both sides have the same layers and variables, draw in the same places, and regularise the same variables."""
    sides = {
        "layer": (set(port.layers), set(graph.network.layers)),
        "gradient": (set(names(GRADIENT, network)), set(graph.gradients)),
        "random operation": (set(port.random_operations), set(graph.draws)),
        "regularised variable": (port.regularized(), set(graph.regularized)),
    }
    alone = [line for what, (ours, official) in sides.items() for line in _alone(what, ours, official)]
    return LayerResult(LOSS, str(network), WHOLE, (Check("what one side alone has", len(alone), 0),), notes=(*alone,))


def _alone(what: str, ours: Collection[str], official: Collection[str]) -> Iterator[str]:
    for name in sorted({*ours} ^ {*official}):
        yield f"{what} {name}: {'the port' if name in ours else 'the official network'} alone has it"
