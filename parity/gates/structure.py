"""The structure gate: both sides have the same layers and variables, with the same shapes and dtypes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from parity.candidate.capture import CandidateError
from parity.candidate.parts import LOGITS, RETURNED, CandidateParts, Part, Parts
from parity.core.layers import WHOLE, Network, block, layer_of
from parity.core.policy import STRUCTURE
from parity.core.result import Check, LayerResult
from tf_reference.graph import ReferenceGraph

# So many differences are listed in a result; of more, the number is told.
LISTED = 20


def compare_parts(
    network: Network, graph: ReferenceGraph, names: Iterable[str], candidate: CandidateParts
) -> dict[str, LayerResult]:
    """Return the results for `names`, by name, of comparing the official `graph` with the candidate's parts.

    Each name is a layer with its variables, a block with all that lies in it, or the whole network.
    """
    official = _official_parts(graph, candidate.unobservable)
    # Where it can be told what the model gives.
    if ("output", LOGITS) in candidate.found:
        official["output", LOGITS] = RETURNED
    parts_of: defaultdict[str, list[Part]] = defaultdict(list)
    for part in {**official, **candidate.found}:
        kind, own_name = part
        layer = layer_of(own_name) if kind == "variable" else own_name
        # A set, since a layer outside of any block is a block of its own.
        for name in {layer, block(layer), WHOLE}:
            parts_of[name].append(part)
    results = {}
    for name in names:
        results[name] = _result(network, name, parts_of[name], candidate.found, official, candidate.failure)
    return results


def _official_parts(graph: ReferenceGraph, unobservable: frozenset[str]) -> Parts:
    """Return the official layers (without the number of images) and variables, described as a candidate's are.

    Layers that are `unobservable` in the candidate are left out: they cannot be judged there.
    """
    parts: Parts = {}
    for name, layer in graph.layers.items():
        if name not in unobservable:
            parts["layer", name] = f"{layer.shape[1:]} {layer.dtype}"
    for name, variable in graph.variables.items():
        parts["variable", name] = str(variable.shape)
    return parts


def _result(
    network: Network,
    name: str,
    parts: Sequence[Part],
    candidate: Parts,
    official: Parts,
    failure: CandidateError | None,
) -> LayerResult:
    """Return the result for `name`, to which these `parts` belong, from what each side has."""
    differing = [part for part in parts if candidate.get(part) != official.get(part)]
    notes = []
    for part in differing[:LISTED]:
        kind, own_name = part
        ours = candidate.get(part, "has none")
        theirs = official.get(part, "has none")
        notes.append(f"{kind} {own_name}: candidate {ours}, official {theirs}")
    if len(differing) > LISTED:
        notes.append(f"and {len(differing) - LISTED:,} more")
    problem = "" if parts else "neither side has it"
    reached = True
    lacks_some = not candidate.keys() >= set(parts)
    # What the candidate gave before it failed is judged by itself: its failure matters where something is not there.
    if failure and lacks_some:
        problem = str(failure)
        # The candidate ended before it came here, unless it failed here, or has something here that is wrong.
        reached = failure.layer == name or not candidate.keys().isdisjoint(differing)
    check = Check(f"differences in {len(parts):,} layers and variables", len(differing), 0)
    return LayerResult(STRUCTURE, str(network), name, (check,), problem, notes=tuple(notes), reached=reached)
