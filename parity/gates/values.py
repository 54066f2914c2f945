"""The gates that compare values: exact, float64 and float32. The official network runs first, then the candidate, whose
layers are judged in the hook as each arrives: only the official network's activations are ever held."""

from collections.abc import Mapping

import numpy as np

from parity.core import compare, metrics
from parity.core.computing import Layers, Observe, Results, Step
from parity.core.result import LayerResult
from parity.gates.context import NetworkContext
from parity.reference.golden import digests

# The gates that run the networks in each dtype; the float32 gate measures both sides from the float64 values.
GATES_IN = {"float64": ("exact-float64", "float64", "float32"), "float32": ("exact-float32", "float32")}


def needed(dtype: str, layers: Layers) -> frozenset[str]:
    """Return all layers that any gate needs in `dtype`, of the `layers` that were selected by gate."""
    # Of all gates at once: a context opens its networks once in each dtype, for the gates that come later as well.
    names: set[str] = set()
    for gate in GATES_IN[dtype]:
        names |= layers.get(gate, frozenset())
    return frozenset(names)


def exact(context: NetworkContext, dtype: str, layers: Layers, step: Step, observe: Observe) -> Results:
    """Return the results of the exact gate in `dtype`, by layer."""
    gate = f"exact-{dtype}"
    network = str(context.network)
    with step(f"{network}: official network, integers in {dtype}"):
        sides = context.sides(dtype, needed(dtype, layers))
        variables, images_nhwc = context.exact_inputs(dtype)
        sides.load_exact(variables)
        expected = sides.official(images_nhwc, layers[gate])

    def judge(layer: str, actual: np.ndarray) -> LayerResult:
        """Return the layer result of a value (NHWC) as it arrives, or of its digest where no more is known."""
        # Taken out, so that what was compared is freed at once.
        truth = expected.pop(layer)
        if isinstance(truth, str):
            shape = sides.graph.layers[layer].shape
            actual_digest = digests.digest(actual)
            return compare.digest(gate, network, layer, actual, shape, actual_digest, truth)
        result = compare.exact(network, layer, actual, truth)
        observe(result, actual, truth)
        return result

    with step(f"{network}: candidate, integers in {dtype}"):
        return sides.results(gate, layers[gate], images_nhwc, judge)


def float64_and_float32(context: NetworkContext, layers: Layers, step: Step, observe: Observe) -> dict[str, Results]:
    """Return the results of the float64 and of the float32 gate, which share their truth, by gate and layer.

    Of several images a layer's worst result counts.
    """
    with step(f"{context.network}: checkpoint"):
        variables = context.variables()
    context.sides("float64", needed("float64", layers)).load(variables)
    if layers.get("float32"):
        context.sides("float32", needed("float32", layers)).load(variables)
    worst: dict[str, Results] = {"float64": {}, "float32": {}}
    images_nhwc = context.images()
    for number, image in enumerate(images_nhwc, start=1):
        # One by one: the activations of a single image take 2.3 GB in float64 (Large at 331).
        by_gate = _judge_image(context, image[None], layers, step, observe, last=number == len(images_nhwc))
        for gate, results in by_gate.items():
            for layer, result in results.items():
                earlier = worst[gate].get(layer)
                if earlier is None or result.margin > earlier.margin:
                    worst[gate][layer] = result
    return worst


def _judge_image(
    context: NetworkContext, image_nhwc: np.ndarray, layers: Layers, step: Step, observe: Observe, last: bool
) -> dict[str, Results]:
    """Return the results by gate for one image (1, H, W, 3); behind the `last`, weights in float64 are freed."""
    truth, results = _judge_float64(context, image_nhwc, layers, step, observe)
    by_gate = {"float64": results}
    if last:
        # Before float32 runs: it needs the float64 values, but no weights in float64.
        context.release("float64")
    if layers.get("float32"):
        by_gate["float32"] = _judge_float32(context, image_nhwc, truth, layers, step, observe)
    return by_gate


def _judge_float64(
    context: NetworkContext, image_nhwc: np.ndarray, layers: Layers, step: Step, observe: Observe
) -> tuple[Mapping[str, np.ndarray], Results]:
    """Return the official float64 values (NHWC) that either gate needs, and the float64 gate's results, by layer."""
    network = str(context.network)
    selected = layers.get("float64", frozenset())
    sides = context.sides("float64", needed("float64", layers))
    with step(f"{network}: official network in float64"):
        needed_layers = selected | layers.get("float32", frozenset())
        truth = sides.official(image_nhwc, needed_layers)

    def judge(layer: str, actual: np.ndarray) -> LayerResult:
        """Return the layer result of a value (NHWC) as it arrives."""
        expected = truth[layer]
        result = compare.float64(network, layer, actual, expected)
        observe(result, actual, expected)
        return result

    with step(f"{network}: candidate in float64"):
        return truth, sides.results("float64", selected, image_nhwc, judge)


def _judge_float32(
    context: NetworkContext,
    image_nhwc: np.ndarray,
    truth: Mapping[str, np.ndarray],
    layers: Layers,
    step: Step,
    observe: Observe,
) -> Results:
    """Return the float32 gate's results by layer: the candidate's distance from `truth`, by TensorFlow's own."""
    network = str(context.network)
    sides = context.sides("float32", needed("float32", layers))
    with step(f"{network}: official network in float32"):
        values = sides.official(image_nhwc, layers["float32"])
        official_distance = {}
        for layer in list(values):
            # Of TensorFlow's float32 values only the distance is needed: each is freed as soon as it is measured.
            official_distance[layer] = metrics.distance(values.pop(layer), truth[layer])
    # Regions of one colour are rounded alike, and lower by how many values a distance is carried.
    independent = metrics.independent_neighbourhoods(image_nhwc[0])

    def judge(layer: str, actual: np.ndarray) -> LayerResult:
        """Return the layer result of a value (NHWC) as it arrives."""
        expected = truth[layer]
        result = compare.float32(network, layer, actual, expected, official_distance[layer], independent)
        observe(result, actual, expected)
        return result

    with step(f"{network}: candidate in float32"):
        return sides.results("float32", layers["float32"], image_nhwc, judge)
