"""The port as it is judged: filled with official variables, run layer by layer; whatever goes wrong is its result."""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import torch

from parity.candidate.capture import CandidateError, blamed_on_candidate, capture
from parity.candidate.model import CandidateModel, candidate_model
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.core.result import LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network
from tf_reference.graph import ReferenceGraph

Judge = Callable[[str, np.ndarray], LayerResult]
Make = Callable[[Network, str], PNASNet | CandidateModel]


def make_model(network: Network, dtype: str) -> PNASNet:
    """Return the port of `network` as it is, in `dtype`; its weights are to be loaded."""
    return empty_network(variant(network.variant).config, getattr(torch, dtype))


class Port:
    """The port of `network` in `dtype`, or another candidate: `make` makes the model when it is first used."""

    def __init__(self, network: Network, dtype: str, make: Make = make_model) -> None:
        self.network = network
        self.dtype = dtype
        self._make = make
        self._to_load: Mapping[str, np.ndarray] | None = None

    @cached_property
    def _model(self) -> PNASNet | CandidateModel:
        """The model, with whatever weights it has."""
        return self._make(self.network, self.dtype)

    @property
    def model(self) -> PNASNet | CandidateModel:
        """The model with the weights given last. Raises CandidateError if it cannot be made or filled."""
        # Read first: what is wrong with a stored variable is no fault of the candidate's.
        variables = None if self._to_load is None else dict(self._to_load)
        with blamed_on_candidate():
            if variables is not None:
                candidate_model(self._model).load(variables)
                self._to_load = None
                del variables
                release_memory()
            return self._model

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the official variables; the model is filled with them when it is next used."""
        self._to_load = variables

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the integer network's variables: these round nowhere, in whatever order the candidate computes them."""
        self.load(variables)

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        """Call `report` with each of `layers` (NHWC) as it comes.

        Raises CandidateError for whatever the candidate raises.
        """
        capture(self.model, images_nhwc, layers, report)

    def results(
        self, gate: str, layers: frozenset[str], graph: ReferenceGraph, images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """Return the layer result of each of `layers`; one that never arrives, or that `graph` lacks, fails.

        Each is judged as it arrives. Raises whatever `judge` raises, which is no fault of the candidate's.
        """
        common = layers & graph.layers.keys()
        results: dict[str, LayerResult] = {}
        problem = "the candidate does not report this layer"
        failed_in: str | None = None
        try:
            # Where nothing can be compared, nothing runs.
            if common:
                self._judge_layers(images_nhwc, common, judge, results)
        except CandidateError as error:  # whatever a faulty candidate raises is its result
            # Not the error itself: its traceback would hold the values of the forward that it ended.
            problem = str(error)
            failed_in = error.layer
        for layer in sorted(layers):
            # The layer that the candidate failed in may have passed before, if it ran twice.
            if layer not in results or layer == failed_in:
                results[layer] = self._missing(gate, layer, layer in common, problem, failed_in)
        return results

    def _judge_layers(
        self, images_nhwc: np.ndarray, layers: frozenset[str], judge: Judge, results: dict[str, LayerResult]
    ) -> None:
        """Add the result of each of `layers` to `results` as it arrives.

        Raises CandidateError for what the candidate raises, and whatever `judge` raises as it is.
        """
        judging_errors: list[Exception] = []

        def report(layer: str, actual_nhwc: np.ndarray) -> None:
            """Judge a layer, and note the error if that cannot be done."""
            try:
                results[layer] = judge(layer, actual_nhwc)
            except Exception as error:
                judging_errors.append(error)
                raise

        try:
            self.run(images_nhwc, layers, report)
        except CandidateError:
            # An error of the judgement goes through the candidate's forward, and arrives as one of the candidate's.
            if not judging_errors:
                raise
        if judging_errors:
            raise judging_errors[0]

    def _missing(self, gate: str, layer: str, is_official: bool, problem: str, failed_in: str | None) -> LayerResult:
        """Return the result of a layer that did not arrive.

        `failed_in` is the layer in which the candidate raised an error, empty for one between two layers, None without.
        """
        if not is_official:
            return LayerResult(gate, str(self.network), layer, problem="the official network has no such layer")
        # What lies behind an error fails because of it; where there was none, the missing layer itself is at fault.
        reached = failed_in in (None, layer)
        return LayerResult(gate, str(self.network), layer, problem=problem, reached=reached)
