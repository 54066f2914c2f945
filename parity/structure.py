"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch

from parity.layers import WHOLE, Network, block, layer_modules
from parity.result import Check, LayerResult
from pnasnet_torch import variant
from pnasnet_torch.weights import empty_network, variable_shapes
from tf_reference.graph import ReferenceGraph

GATE = "structure"
# `layer` or `variable`, and its name.
Part = tuple[str, str]
LISTED = 20


def judge(network: Network, graph: ReferenceGraph, names: Iterable[str]) -> dict[str, LayerResult]:
    """Results for `names`, each a layer, a block with all that lies in it, or the whole network."""
    port, failure = port_parts(network)
    official = {("layer", name): f"{layer.shape[1:]} {layer.dtype}" for name, layer in graph.layers.items()}
    official |= {("variable", name): str(variable.shape) for name, variable in graph.variables.items()}
    keys_of: defaultdict[str, list[Part]] = defaultdict(list)
    for key in {**official, **port}:
        for name in {key[1], block(key[1]), WHOLE}:
            keys_of[name].append(key)
    return {name: _result(network, name, keys_of[name], port, official, failure) for name in names}


def port_parts(network: Network) -> tuple[dict[Part, str], str]:
    """The port's layers and variables with their shapes, from a forward of no images; and what went wrong in it.

    Whatever a faulty port raises is its result; it has the layers that were reached before.
    """
    parts: dict[Part, str] = {}
    try:
        model = empty_network(variant(network.variant).config)
        parts |= {("variable", name): str(shape) for name, shape in variable_shapes(model).items()}
        for name, module in layer_modules(model).items():
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: parts.update({("layer", name): _describe(output)})
            )
        with torch.inference_mode():
            model.predict(torch.empty(0, 3, network.height, network.width))
    except Exception as error:
        return parts, f"the port fails with {type(error).__name__}: {error}"
    return parts, ""


def _describe(output: torch.Tensor) -> str:
    shape = output.permute(0, 2, 3, 1).shape if output.ndim == 4 else output.shape
    return f"{tuple(shape[1:])} {str(output.dtype).removeprefix('torch.')}"


def _result(
    network: Network,
    name: str,
    keys: Sequence[Part],
    port: Mapping[Part, str],
    official: Mapping[Part, str],
    failure: str,
) -> LayerResult:
    differences = [
        f"{kind} {part}: port {port.get((kind, part), 'has none')}, official {official.get((kind, part), 'has none')}"
        for kind, part in keys
        if port.get((kind, part)) != official.get((kind, part))
    ]
    # What was reached before the port failed is judged by itself.
    problem = failure if any(key not in port for key in keys) else "" if keys else "neither side has it"
    check = Check(f"differences in {len(keys):,} layers and variables", len(differences), 0)
    more = [f"and {len(differences) - LISTED:,} more"] if len(differences) > LISTED else []
    return LayerResult(GATE, str(network), name, (check,), problem, notes=(*differences[:LISTED], *more))
