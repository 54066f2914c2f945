"""The training gates of one network: the official one trains first, then the port, judged in the hooks."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from parity import compare
from parity.capture import PortError
from parity.environment import release_memory
from parity.layers import WHOLE, Network
from parity.policy import FLOAT64, GRADIENT_FLOAT64
from parity.result import Check, LayerResult
from parity.training.names import FORWARD, GRADIENT, LOSS, STEP, names
from parity.training.port import TrainingPort, make_model
from parity.training.ties import TieFinder, Ties
from parity.values import Layers, Results, Step
from pnasnet_torch import PNASNet
from pnasnet_torch.training import Losses
from tf_reference.training import Batch, TrainingGraph, TrainingReference, TrainingValues

ALONE = "one of the sides alone has it"
# The learning rate of whole steps: the least that slim's schedules end in. The weights of which no one knows are no
# minimum: at slim's first, 0.01, each step of Large makes the difference between two orders of a sum 6 to 60 times as
# large (docs/calibration.md).
RATE = 0.0001
Make = Callable[[Network, str], PNASNet]


def judge(
    network: Network,
    graph: TrainingGraph,
    variables: Mapping[str, np.ndarray],
    batches: Sequence[Batch],
    threads: int,
    chosen: Layers,
    step: Step,
    make: Make = make_model,
) -> dict[str, Results]:
    """Results by training gate, in float64, of the names that were `chosen`; one that the port does not give fails."""
    updated: Mapping[str, np.ndarray] = {}
    with TrainingReference(graph, threads) as reference:
        if chosen.get(STEP):  # first, as all values and gradients take gigabytes
            with step(f"{network}: official network takes {len(batches)} steps in float64"):
                reference.assign(variables)
                updated = reference.update(batches, RATE)
        with step(f"{network}: official network's gradients in float64"):
            reference.assign(variables)
            official = reference.train(batches[0])
    release_memory()
    with step(f"{network}: port's gradients in float64"):
        results, problem = port_results(network, graph, variables, batches[0], official, make)
        problems = dict.fromkeys(results, problem)
    if chosen.get(STEP):
        with step(f"{network}: port takes {len(batches)} steps in float64"):
            results[STEP], problems[STEP] = step_results(network, variables, batches, updated, make)

    def result(gate: str, name: str) -> LayerResult:
        missing = LayerResult(gate, str(network), name, problem=problems[gate])
        return results[gate].get(name, missing)

    return {gate: {name: result(gate, name) for name in chosen.get(gate, ())} for gate in results}


def port_results(
    network: Network,
    graph: TrainingGraph,
    variables: Mapping[str, np.ndarray],
    batch: Batch,
    official: TrainingValues,
    make: Make,
) -> tuple[dict[str, Results], str]:
    """The results on all that the port gives, and why there are no others. Takes what is compared from `official`."""
    results: dict[str, Results] = {FORWARD: {}, LOSS: {}, GRADIENT: {}}
    own_errors: list[Exception] = []
    ties: dict[str, Ties] = {}

    def layer(name: str, actual: np.ndarray) -> None:
        if name in official.layers:
            truth = official.layers.pop(name)
            with _kept(own_errors):
                results[FORWARD][name] = compare.float64(str(network), name, actual, truth, FORWARD)
                if found := find_ties(name, actual, truth):
                    ties[name] = found

    def gradient(name: str, actual: np.ndarray) -> np.ndarray | None:
        if name not in official.gradients:
            return None
        truth = official.gradients.pop(name)
        with _kept(own_errors):
            results[GRADIENT][name], decided = gradient_result(network, name, actual, truth, ties.pop(name, None))
        return decided

    try:
        port = TrainingPort(make(network, "float64"), variables)
        find_ties = TieFinder(graph.network.layers, port.max_pools)
        results[LOSS][WHOLE] = _parts(network, graph, port)
        losses = port.train(batch, layer, gradient)
        results[LOSS] |= {result.layer: result for result in _losses(network, losses, official.losses)}
    except PortError as error:  # whatever a faulty port raises is its result
        if own_errors:
            raise own_errors[0] from error
        return results, str(error)
    return results, ALONE


@contextmanager
def _kept(errors: list[Exception]) -> Iterator[None]:
    """Keeps an error of the suite's own apart from those of the port, in whose hooks it is raised."""
    try:
        yield
    except Exception as error:
        errors.append(error)
        raise


def gradient_result(
    network: Network, name: str, actual: np.ndarray, truth: np.ndarray, ties: Ties | None
) -> tuple[LayerResult, np.ndarray | None]:
    """The result on a gradient, and what the gradient goes on from, if that is not the port's own."""
    if not ties or actual.shape != truth.shape:
        return compare.float64(str(network), name, actual, truth, GRADIENT, GRADIENT_FLOAT64), None
    result = compare.float64(str(network), name, ties.summed(actual), ties.summed(truth), GRADIENT, GRADIENT_FLOAT64)
    return replace(result, notes=(*result.notes, str(ties))), ties.decided(actual, truth)


def step_results(
    network: Network,
    variables: Mapping[str, np.ndarray],
    batches: Sequence[Batch],
    official: Mapping[str, np.ndarray],
    make: Make,
) -> tuple[Results, str]:
    """The results on whole steps: on each variable, and on what is kept of it; and why there are no others."""
    try:
        found = TrainingPort(make(network, "float64"), variables).update(batches, RATE)
    except PortError as error:
        return {}, str(error)
    common = [name for name in official if name in found]
    return {name: compare.float64(str(network), name, found[name], official[name], STEP) for name in common}, ALONE


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
