"""The gates that compare values: exact, float64 and float32. The candidate's layers are judged in the hook as each
arrives, by official values that are computed ahead: of neither side are more than some layers' values held at a time.
"""

from collections.abc import Mapping

import numpy as np

from parity.candidate.interface import CandidateRun
from parity.core import compare, metrics
from parity.core.computing import Layers, Observe, Results, Step
from parity.core.result import LayerResult
from parity.gates.ahead import Ahead
from parity.gates.context import NetworkContext
from parity.gates.gate import Gate, Values
from parity.reference.golden import digests
from tf_reference.layers import Layer

# What is computed before all layers: the weights and the images.
INPUTS = "inputs"
# How many bytes of float64 values are kept for the float32 gate. All of Large's at 331 take 2.3 GB.
KEPT = 512 * 2**20


class ExactGate(Gate):
    """The exact gate in `dtype`: the integer network on both sides, bit by bit."""

    runs_ahead = True

    def __init__(self, context: NetworkContext, dtype: str, layers: Layers, step: Step, observe: Observe) -> None:
        self.names = (f"exact-{dtype}",)
        self._context = context
        self._dtype = dtype
        self._layers = layers
        self._step = step
        self._observe = observe
        context.expect(dtype, layers[self.names[0]])

    def layers(self) -> Mapping[str, Layer]:
        """Return the official layers."""
        return self._context.graph("float32").layers

    def official(self) -> Values:
        """Yield the inputs, and then the official value of each layer (NHWC), or its digest."""
        variables, images_nhwc = self._context.exact_inputs(self._dtype)
        yield INPUTS, (variables, images_nhwc)
        selected = self._layers[self.names[0]]
        run = self._context.official(self._dtype)
        run.assign_exact(variables)
        # Not held while the network runs.
        del variables
        yield from run.values(images_nhwc, selected)

    def judge(self, official: Ahead) -> dict[str, Results]:
        """Return the results by gate and layer."""
        (gate,) = self.names
        network = str(self._context.network)
        with self._step(f"{network}: integers in {self._dtype}"):
            variables, images_nhwc = official.take(INPUTS)
            candidate = self._context.judged(self._dtype)
            candidate.load_exact(variables)
            graph = self._context.graph(self._dtype)

            def judge(layer: str, actual: np.ndarray) -> LayerResult:
                """Return the layer result of a value (NHWC) as it arrives, or of its digest where no more is known."""
                truth = official.take(layer)
                if isinstance(truth, str):
                    shape = graph.layers[layer].shape
                    actual_digest = digests.digest(actual)
                    return compare.digest(gate, network, layer, actual, shape, actual_digest, truth)
                result = compare.exact(network, layer, actual, truth)
                self._observe(result, actual, truth)
                return result

            return {gate: candidate.results(gate, self._layers[gate], graph, images_nhwc, judge)}


class FloatGates(Gate):
    """The float64 and the float32 gate, which share their truth, the official values in float64.

    Of several images a layer's worst result counts.
    """

    names = ("float64", "float32")
    runs_ahead = True

    def __init__(self, context: NetworkContext, layers: Layers, step: Step, observe: Observe) -> None:
        self._context = context
        self._network = str(context.network)
        self._selected = {gate: layers.get(gate, frozenset()) for gate in self.names}
        self._step = step
        self._observe = observe
        for dtype in self.names:
            # Those of float32 are measured from the same in float64.
            context.expect("float64", self._selected[dtype])
        context.expect("float32", self._selected["float32"])

    def layers(self) -> Mapping[str, Layer]:
        """Return the official layers."""
        return self._context.graph("float32").layers

    def official(self) -> Values:
        """Yield the inputs, and then of each image what either gate needs of each layer.

        That is the float64 value (NHWC); and the distance of the float32 value from it, with it. The keys are the
        image's number, the gate and the layer.
        """
        variables = self._context.variables()
        images_nhwc = self._context.images()
        yield INPUTS, (variables, images_nhwc)
        in_float64, in_float32 = self._selected["float64"], self._selected["float32"]
        kept_layers = in_float32 if self._size(in_float32) <= KEPT else frozenset()
        double = self._context.official("float64")
        double.assign(variables)
        if in_float32:
            single = self._context.official("float32")
            single.assign(variables)
        # Not held while the networks run.
        del variables
        for number, image in enumerate(images_nhwc):
            kept: dict[str, np.ndarray] = {}
            for layer, value in double.values(image[None], in_float64 | kept_layers):
                if layer in kept_layers:
                    kept[layer] = value
                if layer in in_float64:
                    yield (number, "float64", layer), value
            if not in_float32:
                continue
            # Too many to be kept are computed once more, which takes a second or two.
            truths = kept.items() if kept_layers else double.values(image[None], in_float32)
            values = single.values(image[None], in_float32)
            for (layer, truth), (_, value) in zip(truths, values, strict=True):
                # Of TensorFlow's float32 values only the distance is needed.
                yield (number, "float32", layer), (metrics.distance(value, truth), truth)

    def _size(self, selected: frozenset[str]) -> int:
        """Return how many bytes the float64 values of the layers take, for one image."""
        layers = self._context.graph("float64").layers
        return sum(8 * layer.elements for name, layer in layers.items() if name in selected)

    def judge(self, official: Ahead) -> dict[str, Results]:
        """Return the results by gate and layer."""
        with self._step(f"{self._network}: checkpoint"):
            variables, images_nhwc = official.take(INPUTS)
        worst: dict[str, Results] = {gate: {} for gate in self.names}
        judges = {"float64": self._judge_float64, "float32": self._judge_float32}
        for number, image in enumerate(images_nhwc):
            for gate, judge in judges.items():
                with self._step(f"{self._network}: {gate}"):
                    candidate = self._context.judged(gate)
                    if number == 0:
                        candidate.load(variables)
                    results = judge(candidate, official, number, image[None])
                for layer, result in results.items():
                    earlier = worst[gate].get(layer)
                    if earlier is None or result.margin > earlier.margin:
                        worst[gate][layer] = result
                if number == len(images_nhwc) - 1:
                    self._context.release_judged(gate)
        return worst

    def _judge_float64(self, candidate: CandidateRun, official: Ahead, number: int, image_nhwc: np.ndarray) -> Results:
        """Return the float64 gate's results by layer, for one image (1, H, W, 3)."""

        def judge(layer: str, actual: np.ndarray) -> LayerResult:
            """Return the layer result of a value (NHWC) as it arrives."""
            truth = official.take((number, "float64", layer))
            result = compare.float64(self._network, layer, actual, truth)
            self._observe(result, actual, truth)
            return result

        graph = self._context.graph("float64")
        return candidate.results("float64", self._selected["float64"], graph, image_nhwc, judge)

    def _judge_float32(self, candidate: CandidateRun, official: Ahead, number: int, image_nhwc: np.ndarray) -> Results:
        """Return the float32 gate's results by layer, for one image (1, H, W, 3): the candidate's distance from the
        float64 values, by TensorFlow's own."""
        # Regions of one colour are rounded alike, and lower by how many values a distance is carried.
        independent = metrics.independent_neighbourhoods(image_nhwc[0])

        def judge(layer: str, actual: np.ndarray) -> LayerResult:
            """Return the layer result of a value (NHWC) as it arrives."""
            official_distance, truth = official.take((number, "float32", layer))
            result = compare.float32(self._network, layer, actual, truth, official_distance, independent)
            self._observe(result, actual, truth)
            return result

        graph = self._context.graph("float32")
        return candidate.results("float32", self._selected["float32"], graph, image_nhwc, judge)
