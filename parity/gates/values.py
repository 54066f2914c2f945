"""The gates that compare values: exact, float64 and float32. The official network runs first, then the port, whose
layers are judged in the hook as each arrives: only the official network's activations are ever held."""

import numpy as np

from parity.core import compare, metrics
from parity.core.computing import Layers, Observe, Results, Step
from parity.core.result import LayerResult
from parity.gates.context import NetworkContext
from parity.reference.golden import digests

# The gates that run the networks in each dtype; the float32 gate measures both sides from the float64 values.
GATES_IN = {"float64": ("exact-float64", "float64", "float32"), "float32": ("exact-float32", "float32")}


def needed(dtype: str, layers: Layers) -> frozenset[str]:
    """All layers that any gate needs in `dtype`."""
    return frozenset().union(*(layers.get(gate, frozenset()) for gate in GATES_IN[dtype]))


def exact(context: NetworkContext, dtype: str, layers: Layers, step: Step, observe: Observe) -> Results:
    """The exact gate in `dtype`."""
    gate, network = f"exact-{dtype}", str(context.network)
    with step(f"{network}: official network, integers in {dtype}"):
        sides = context.sides(dtype, needed(dtype, layers))
        variables, images = context.exact_inputs(dtype)
        sides.load_exact(variables)
        expected = sides.official(images, layers[gate])

    def judge(layer: str, actual: np.ndarray) -> LayerResult:
        truth = expected.pop(layer)
        if isinstance(truth, str):
            shape = sides.graph.layers[layer].shape
            return compare.digest(gate, network, layer, actual, shape, digests.digest(actual), truth)
        result = compare.exact(network, layer, actual, truth)
        observe(result, actual, truth)
        return result

    with step(f"{network}: port, integers in {dtype}"):
        return sides.results(gate, layers[gate], images, judge)


def float64_and_float32(context: NetworkContext, layers: Layers, step: Step, observe: Observe) -> dict[str, Results]:
    """The float64 and the float32 gate, which share their truth; of several images the worst result counts."""
    chosen = {gate: layers.get(gate, frozenset()) for gate in ("float64", "float32")}
    with step(f"{context.network}: checkpoint"):
        variables = context.variables()
    for dtype in ("float64", *(["float32"] if chosen["float32"] else [])):
        context.sides(dtype, needed(dtype, layers)).load(variables)
    worst: dict[str, Results] = {gate: {} for gate in chosen}
    images = context.images()
    for number, image in enumerate(images, start=1):
        last = number == len(images)
        for gate, results in _image(context, image[None], layers, chosen, step, observe, last).items():
            kept = worst[gate]
            for layer, new in results.items():
                kept[layer] = max(kept.get(layer, new), new, key=lambda result: result.margin)
    return worst


def _image(
    context: NetworkContext, image: np.ndarray, layers: Layers, chosen: Layers, step: Step, observe: Observe, last: bool
) -> dict[str, Results]:
    """Results by gate for one image (1, H, W, 3); behind the `last`, weights in float64 are needed no more."""
    network = str(context.network)
    sides = context.sides("float64", needed("float64", layers))
    with step(f"{network}: official network in float64"):
        truth = sides.official(image, chosen["float64"] | chosen["float32"])

    def float64(layer: str, actual: np.ndarray) -> LayerResult:
        result = compare.float64(network, layer, actual, truth[layer])
        observe(result, actual, truth[layer])
        return result

    with step(f"{network}: port in float64"):
        results = {"float64": sides.results("float64", chosen["float64"], image, float64)}
    if last:
        context.release("float64")
    if not chosen["float32"]:
        return results
    sides = context.sides("float32", needed("float32", layers))
    with step(f"{network}: official network in float32"):
        values = sides.official(image, chosen["float32"])
        official = {layer: metrics.distance(values.pop(layer), truth[layer]) for layer in list(values)}
    independent = metrics.independent_neighbourhoods(image[0])

    def float32(layer: str, actual: np.ndarray) -> LayerResult:
        result = compare.float32(network, layer, actual, truth[layer], official[layer], independent)
        observe(result, actual, truth[layer])
        return result

    with step(f"{network}: port in float32"):
        return results | {"float32": sides.results("float32", chosen["float32"], image, float32)}
