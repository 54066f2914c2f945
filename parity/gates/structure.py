"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from parity.candidate.capture import CandidateError
from parity.candidate.parts import CandidateParts, Part, Parts
from parity.core.layers import WHOLE, Network, block, layer_of
from parity.core.policy import STRUCTURE
from parity.core.result import Check, LayerResult
from tf_reference.graph import ReferenceGraph

LISTED = 20


def compare_parts(
    network: Network, graph: ReferenceGraph, names: Iterable[str], port: CandidateParts
) -> dict[str, LayerResult]:
    """Results for `names`, each a layer with its variables, a block with all that lies in it, or the whole network."""
    official = {
        ("layer", name): f"{layer.shape[1:]} {layer.dtype}"
        for name, layer in graph.layers.items()
        if name not in port.unobservable
    }
    official |= {("variable", name): str(variable.shape) for name, variable in graph.variables.items()}
    keys_of: defaultdict[str, list[Part]] = defaultdict(list)
    for key in {**official, **port.found}:
        layer = layer_of(key[1]) if key[0] == "variable" else key[1]
        for name in {layer, block(layer), WHOLE}:
            keys_of[name].append(key)
    return {name: _result(network, name, keys_of[name], port.found, official, port.failure) for name in names}


def _result(
    network: Network,
    name: str,
    keys: Sequence[Part],
    port: Parts,
    official: Parts,
    failure: CandidateError | None,
) -> LayerResult:
    wrong = [key for key in keys if port.get(key) != official.get(key)]
    differences = [
        f"{kind} {part}: port {port.get((kind, part), 'has none')}, official {official.get((kind, part), 'has none')}"
        for kind, part in wrong
    ]
    # What was reached before the port failed is judged by itself.
    unreached = any(key not in port for key in keys)
    problem = str(failure) if failure and unreached else "" if keys else "neither side has it"
    check = Check(f"differences in {len(keys):,} layers and variables", len(differences), 0)
    more = [f"and {len(differences) - LISTED:,} more"] if len(differences) > LISTED else []
    reached = failure is None or not unreached or failure.layer == name or any(key in port for key in wrong)
    notes = (*differences[:LISTED], *more)
    return LayerResult(STRUCTURE, str(network), name, (check,), problem, notes=notes, reached=reached)
