"""The port under test: filled with the official variables, run layer by layer; whatever goes wrong is its result."""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import torch

from parity.candidate.capture import CandidateError, capture
from parity.candidate.model import CandidateModel, candidate_model
from parity.core.layers import Network
from parity.core.result import LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network
from tf_reference.graph import ReferenceGraph

Judge = Callable[[str, np.ndarray], LayerResult]
Make = Callable[[Network, str], PNASNet | CandidateModel]


def make_model(network: Network, dtype: str) -> PNASNet:
    """The port of `network` as it is, its weights to be loaded."""
    return empty_network(variant(network.variant).config, getattr(torch, dtype))


class Port:
    """The port of `network` in `dtype`; `make` makes its model when it first runs."""

    def __init__(self, network: Network, dtype: str, make: Make = make_model) -> None:
        self.network = network
        self.dtype = dtype
        self._make = make
        self._to_load: Mapping[str, np.ndarray] | None = None

    @cached_property
    def _model(self) -> PNASNet | CandidateModel:
        return self._make(self.network, self.dtype)

    @property
    def model(self) -> PNASNet | CandidateModel:
        """The model with the weights given last. Raises CandidateError if it cannot be made or filled."""
        # Read first: what is wrong with a stored variable is no fault of the port's.
        variables = None if self._to_load is None else dict(self._to_load)
        try:
            if variables is not None:
                candidate_model(self._model).load(variables)
                self._to_load = None
            return self._model
        except Exception as error:
            raise CandidateError("", error) from error

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Takes the official variables; the model is filled with them when it is next used."""
        self._to_load = variables

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Takes the integer network's: these round nowhere, in whatever order the port computes them."""
        self.load(variables)

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        """Calls `report` with each of `layers` (NHWC) as it comes. Raises CandidateError for what the port raises."""
        capture(self.model, images_nhwc, layers, report)

    def results(
        self, gate: str, layers: frozenset[str], graph: ReferenceGraph, images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """The judgement of each of `layers` as it arrives; one that never arrives, or that `graph` lacks, fails."""
        common = layers & graph.layers.keys()
        results: dict[str, LayerResult] = {}
        own_errors: list[Exception] = []

        def report(layer: str, actual: np.ndarray) -> None:
            try:
                results[layer] = judge(layer, actual)
            except Exception as error:
                own_errors.append(error)
                raise

        problem, failed_in = "the port does not report this layer", None
        try:
            if common:
                self.run(images_nhwc, common, report)
        except CandidateError as error:  # whatever a faulty port raises is its result
            problem, failed_in = str(error), error.layer
        if own_errors:
            raise own_errors[0]

        def missing(layer: str) -> LayerResult:
            if layer not in common:
                return LayerResult(gate, network, layer, problem="the official network has no such layer")
            return LayerResult(gate, network, layer, problem=problem, reached=failed_in in (None, layer))

        network = str(self.network)
        return results | {layer: missing(layer) for layer in layers if layer not in results or layer == failed_in}
