"""The port under test: built from the official variables, run layer by layer, and whatever goes wrong is its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from parity.capture import capture
from parity.layers import Network
from parity.result import LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import from_tf_variables
from tf_reference.graph import ReferenceGraph

Judge = Callable[[str, np.ndarray], LayerResult]


@dataclass(frozen=True)
class Port:
    """The port of `network` in `dtype` with the official `variables`; made when it is first run."""

    network: Network
    dtype: str
    variables: Mapping[str, np.ndarray]

    @cached_property
    def model(self) -> PNASNet:
        config = variant(self.network.variant).config
        return from_tf_variables(config, self.variables, getattr(torch, self.dtype))

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

        if not layers:
            return results
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
