"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections.abc import Iterable, Mapping
from functools import cache

import torch
from torch import Tensor, nn

from parity.layers import WHOLE, Network, block, layer_modules
from parity.result import Check, LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import tf_shapes
from tf_reference.graph import ReferenceGraph

GATE = "structure"
Shape = tuple[int | None, ...]


def judge(network: Network, graph: ReferenceGraph, names: Iterable[str]) -> dict[str, LayerResult]:
    """Results for `names`, which are layers, blocks, or the whole network."""
    port, problem = _port(network)
    official = {name: (layer.shape[1:], layer.dtype) for name, layer in graph.layers.items()}
    variables = {name: variable.shape for name, variable in graph.variables.items()}
    results = {}
    for name in names:
        if name == WHOLE:
            differences = _differences("block", _blocks(port.layers, port.variables), _blocks(official, variables))
        elif name in port.blocks:
            differences = _differences("layer", _within(name, port.layers), _within(name, official))
            differences += _differences("variable", _within(name, port.variables), _within(name, variables))
        else:
            differences = _differences("layer", _only(name, port.layers), _only(name, official))
        results[name] = _result(network, name, differences)
    return results
