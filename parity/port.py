"""The port under test: filled with the official variables, run layer by layer; whatever goes wrong is its result."""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import torch

from parity.capture import capture
from parity.layers import Network
from parity.result import LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import empty_network, load_tf_variables
from tf_reference.graph import ReferenceGraph

Judge = Callable[[str, np.ndarray], LayerResult]


class Port:
    """The port of `network` in `dtype`; its model is made when it first runs."""

    def __init__(self, network: Network, dtype: str) -> None:
        self.network = network
        self.dtype = dtype
        self._to_load: Mapping[str, np.ndarray] | None = None

    @cached_property
    def _model(self) -> PNASNet:
        return empty_network(variant(self.network.variant).config, getattr(torch, self.dtype))

    @property
    def model(self) -> PNASNet:
        """The model, filled with the weights that were given last."""
        if self._to_load is not None:
            load_tf_variables(self._model, self._to_load)
            self._to_load = None
        return self._model

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Takes the official variables; the model is filled with them when it is next used."""
        self._to_load = variables

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

        problem = "the port does not report this layer"
        try:
            capture(self.model, images_nhwc, common, report)
        except Exception as error:  # whatever a faulty port raises is its result
            problem = f"the port fails with {type(error).__name__}: {error}"
        if own_errors:
            raise own_errors[0]
        for layer in layers - results.keys():
            reason = problem if layer in common else "the official network has no such layer"
            results[layer] = LayerResult(gate, str(self.network), layer, problem=reason)
        return results
