"""The exact gradients: of the integer network in evaluation, from integers that are given behind the last cell.

Nothing is rounded there, forward or backward, so both sides must agree bit for bit. Every gradient is an integer, or,
of a batch norm's gamma, an integer times a power of two. In training a batch norm divides by the batch's own deviation,
which is rounded, and so does the mean behind the last cell, by the map's area: those are judged in float64 alone.
Integers tie in max-pools all the time; what ties is compared by its sum.
"""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

import numpy as np

from parity.candidate.capture import CandidateError
from parity.candidate.training.port import Make, TrainingPort, make_model
from parity.core import compare
from parity.core.computing import Results
from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.core.training_names import ALONE, EXACT
from parity.gates.training.ties import TieFinder, Ties, compared
from parity.reference.training import IntegerGradients
from tf_reference.backward import ROOT


def exact_gradients(
    network: Network, official: IntegerGradients, chosen: Collection[str], make: Make = make_model
) -> Results:
    """Return the results on the gradients that were `chosen`, by the names of layers and variables.

    A gradient that the candidate does not give fails. Uses up `official`: what was compared is taken out and freed.
    """
    results: Results = {}
    ties: dict[str, Ties] = {}
    problem = ALONE

    def value(name: str, actual: np.ndarray) -> None:
        """Look for ties while the values are at hand: they are not held until the backward."""
        if name in official.values:
            layer_ties = find_ties(name, actual, official.values.pop(name))
            if layer_ties:
                ties[name] = layer_ties

    def gradient(name: str, actual: np.ndarray) -> np.ndarray | None:
        """Judge a gradient as it arrives; return another to go on from, where which element has it is nobody's rule."""
        if name not in official.gradients:
            return None
        check = partial(compare.exact, str(network), name)
        expected = official.gradients.pop(name)
        result, decided = compared(ties.pop(name, None), actual, expected, check)
        results[name] = replace(result, gate=EXACT)
        return decided

    try:
        port = TrainingPort(make(network, training=False), official.variables)
        find_ties = TieFinder(official.layers, port.max_pools)
        port.backward_from(ROOT, official.images_nhwc, official.given_nhwc, value, gradient)
    except CandidateError as error:  # whatever a faulty candidate raises is its result
        problem = str(error)
    chosen_results: Results = {}
    for name in sorted(chosen):
        missing = LayerResult(EXACT, str(network), name, problem=problem)
        chosen_results[name] = results.get(name, missing)
    return chosen_results
