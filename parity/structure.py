"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch

from parity.layers import WHOLE, Network, block, layer_modules
from parity.result import Check, LayerResult
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.weights import variable_shapes
from tf_reference.graph import ReferenceGraph

GATE = "structure"
# `layer` or `variable`, and its name.
Part = tuple[str, str]
LISTED = 20


def judge(network: Network, graph: ReferenceGraph, names: Iterable[str]) -> dict[str, LayerResult]:
    """Results for `names`, each a layer, a block with all that lies in it, or the whole network."""
    try:
        port, problem = port_parts(network), ""
    except Exception as error:  # whatever a faulty port raises is its result
        port, problem = {}, f"the port fails with {type(error).__name__}: {error}"
    official = {("layer", name): f"{layer.shape[1:]} {layer.dtype}" for name, layer in graph.layers.items()}
    official |= {("variable", name): str(variable.shape) for name, variable in graph.variables.items()}
    keys_of: defaultdict[str, list[Part]] = defaultdict(list)
    for key in {**official, **port}:
        for name in {key[1], block(key[1]), WHOLE}:
            keys_of[name].append(key)
    return {name: _result(network, name, keys_of[name], port, official, problem) for name in names}


def port_parts(network: Network) -> dict[Part, str]:
    """The port's layers and variables with their shapes, from a forward without values (images N, C, H, W)."""
    with torch.device("meta"):
        model = PNASNet(variant(network.variant).config).eval()
    parts = {("variable", name): str(shape) for name, shape in variable_shapes(model).items()}
    handles = [
        module.register_forward_hook(
            lambda _module, _inputs, output, name=name: parts.update({("layer", name): _describe(output)})
        )
        for name, module in layer_modules(model).items()
    ]
    model.predict(torch.empty(1, 3, network.height, network.width, device="meta"))
    for handle in handles:
        handle.remove()
    return parts


def _describe(output: torch.Tensor) -> str:
    shape = output.permute(0, 2, 3, 1).shape if output.ndim == 4 else output.shape
    return f"{tuple(shape[1:])} {str(output.dtype).removeprefix('torch.')}"


def _result(
    network: Network,
    name: str,
    keys: Sequence[Part],
    port: Mapping[Part, str],
    official: Mapping[Part, str],
    problem: str,
) -> LayerResult:
    differences = [
        f"{kind} {part}: port {port.get((kind, part), 'has none')}, official {official.get((kind, part), 'has none')}"
        for kind, part in keys
        if port.get((kind, part)) != official.get((kind, part))
    ]
    if not keys:
        problem = problem or "neither side has it"
    check = Check(f"differences in {len(keys):,} layers and variables", len(differences), 0)
    more = [f"and {len(differences) - LISTED:,} more"] if len(differences) > LISTED else []
    return LayerResult(GATE, str(network), name, (check,), problem, notes=(*differences[:LISTED], *more))
