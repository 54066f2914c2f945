"""The exact gradients: of the integer network in evaluation, from integers that are given behind the last cell.

Nothing is rounded there, forward or backward, so both sides must agree bit for bit. Every gradient is an integer, or,
of a batch norm's gamma, an integer times a power of two. In training a batch norm divides by the batch's own deviation,
which is rounded, and so does the mean behind the last cell, by the map's area: those are judged in float64 alone.
Integers tie in max-pools all the time; what ties is compared by its sum.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from parity import compare
from parity.capture import PortError
from parity.environment import release_memory
from parity.exact import exact_images
from parity.layers import Network
from parity.result import LayerResult
from parity.training.names import ALONE, EXACT
from parity.training.port import Make, TrainingPort, make_model
from parity.training.ties import TieFinder, Ties, compared
from parity.values import Results, Step
from tf_reference.backward import ROOT, BackwardGraph, BackwardReference

# Values other than zero in each kernel, depthwise or other: what a forward and a backward give is multiplied.
DENSITY = (1, 1)


def exact_gradients(
    network: Network,
    graph: BackwardGraph,
    variables: Mapping[str, np.ndarray],
    threads: int,
    seed: int,
    chosen: Collection[str],
    step: Step,
    make: Make = make_model,
) -> Results:
    """The results on the gradients, at layers and of variables, that were `chosen`; one that the port does not give
    fails."""
    images = exact_images(network.height, network.width, "float64", seed)
    given = given_gradient(graph, seed)
    with step(f"{network}: official network's gradients, integers"), BackwardReference(graph, threads) as reference:
        reference.assign(variables)
        values, official = reference.run(images), reference.backward(images, given)
    release_memory()
    results: Results = {}
    ties: dict[str, Ties] = {}
    problem = ALONE

    def value(name: str, actual: np.ndarray) -> None:
        if name in values and (found := find_ties(name, actual, values.pop(name))):
            ties[name] = found

    def gradient(name: str, actual: np.ndarray) -> np.ndarray | None:
        if name not in official:
            return None
        check = partial(compare.exact, str(network), name)
        found, decided = compared(ties.pop(name, None), actual, official.pop(name), check)
        results[name] = replace(found, gate=EXACT)
        return decided

    try:
        with step(f"{network}: port's gradients, integers"):
            port = TrainingPort(make(network, training=False), variables)
            find_ties = TieFinder(graph.network.layers, port.max_pools)
            port.backward_from(ROOT, images, given, value, gradient)
    except PortError as error:  # whatever a faulty port raises is its result
        problem = str(error)
    missing = LayerResult(EXACT, str(network), "", problem=problem)
    return {name: results.get(name, replace(missing, layer=name)) for name in chosen}


def given_gradient(graph: BackwardGraph, seed: int) -> np.ndarray:
    """Random integers (1, H, W, C) of the shape of the layer `ROOT`."""
    shape = graph.network.layers[ROOT].shape[1:]
    return np.random.default_rng(seed).integers(-1, 1, (1, *map(int, filter(None, shape))), endpoint=True).astype(float)
