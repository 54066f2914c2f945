"""What one pytest run computes, once, for the layers that it selected.

Values flow one way: weights and images into the official network, its layers out; then into the port, whose layers are
judged in the hook as each arrives. So only the official network's activations are ever held, and of one network at a
time; what was built for it serves all gates.
"""

import gc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity import compare, exact, metrics, pixels, structure
from parity.environment import pin_torch, release_memory
from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options
from parity.pair import Pair
from parity.result import LayerResult
from pnasnet_torch import variant
from pnasnet_torch.operations import BATCH_NORM_EPSILON
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.preprocess import load_images
from tf_reference.synthetic import synthetic_checkpoint
from tf_reference.unit_scale import unit_scales

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# (gate, network): the names that the run selected.
Selection = Mapping[tuple[str, Network], frozenset[str]]
Variables = Mapping[str, np.ndarray]
Results = dict[str, LayerResult]
Step = Callable[[str], AbstractContextManager[object]]
# The gates that run the networks in each dtype; the float32 gate measures both sides from the float64 values.
GATES_IN = {"float64": ("exact-float64", "float64", "float32"), "float32": ("exact-float32", "float32")}


def no_progress(_description: str) -> AbstractContextManager[object]:
    return nullcontext()


class ParitySession:
    """Results by gate, network and name, computed for all selected names of a network when the first is asked for.

    What a network takes is kept until another one's turn, so ask for all gates of one before the next; close the
    session after the last.
    """

    def __init__(
        self, options: Options, selection: Selection, step: Step = no_progress, evaluator: "Evaluator | None" = None
    ) -> None:
        self.options = options
        self._evaluator = evaluator
        self.source = official.find(options.reference)
        self._selection = selection
        self._step = step
        self._results: dict[tuple[str, Network], Results] = {}
        self._network: Network | None = None
        self._graphs: dict[str, ReferenceGraph] = {}
        self._pairs: dict[str, Pair] = {}
        self._checkpoint: tuple[Path, Variables] | None = None
        pin_torch(options.threads)
        # What was loaded and collected so far stays: the garbage collector need not walk it after each network.
        gc.freeze()

    def result(self, gate: str, network: Network, name: str) -> LayerResult:
        """The verdict of `gate` on the layer `name` (for the structure gate also on a block)."""
        if (gate, network) not in self._results:
            self._compute(gate, network)
        return self._results[gate, network][name]

    def summary(self) -> list[str]:
        """A line for each gate and network that was computed: counts, and the result nearest to its limit."""
        lines = []
        for (gate, network), results in self._results.items():
            if results:
                failed = sum(not result for result in results.values())
                worst = max(results.values(), key=lambda result: result.margin)
                nearest = f", nearest to the limit {worst.layer} at {worst.margin:.3g} of it" if worst.margin else ""
                lines.append(f"parity: {network} {gate}: {len(results):,} compared, {failed:,} failed{nearest}")
        return lines + (self._evaluator.report() if self._evaluator else [])

    def close(self) -> None:
        """Frees what the network whose turn it was took; results stay."""
        for pair in self._pairs.values():
            pair.close()
        self._pairs.clear()
        self._graphs.clear()

    def _compute(self, gate: str, network: Network) -> None:
        if gate == "preprocess":
            images = {name: self.options.preprocessed[name] for name in self._selected(gate, network)}
            self._results[gate, network] = pixels.judge(self.source, network, images)
        elif gate == "imagenet" and self._evaluator:
            self.close()
            self._results[gate, network] = {"validation": self._evaluator.result(network)}
        elif gate == "structure":
            with self._step(f"{network}: structure"):
                graph = self.graph(network, "float32")
                self._results[gate, network] = structure.judge(network, graph, self._selected(gate, network))
        elif gate.startswith("exact"):
            self._results[gate, network] = self._exact(gate, network)
        else:
            self._results |= self._values(network)

    def _selected(self, gate: str, network: Network) -> frozenset[str]:
        return self._selection.get((gate, network), frozenset())

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """The official graph; it is now `network`'s turn."""
        if network != self._network:
            self.close()
            gc.collect()
            release_memory()
            self._network = network
        if dtype not in self._graphs:
            spec = GraphSpec(network.variant, network.height, network.width, dtype)
            self._graphs[dtype] = reference_graph(self.source, spec)
        return self._graphs[dtype]

    def pair(self, network: Network, dtype: str) -> Pair:
        """Both networks up to the layers that any gate was selected for; weights are to be loaded."""
        graph = self.graph(network, dtype)
        if dtype not in self._pairs:
            layers = frozenset().union(*(self._selected(gate, network) for gate in GATES_IN[dtype]))
            self._pairs[dtype] = Pair(network, graph, layers, self.options.threads)
        return self._pairs[dtype]

    def _exact(self, gate: str, network: Network) -> Results:
        dtype, layers = gate.removeprefix("exact-"), self._selected(gate, network)
        with self._step(f"{network}: official network, integers in {dtype}"):
            pair = self.pair(network, dtype)
            variables, images = self.exact_inputs(network, dtype)
            pair.load(variables)
            expected = pair.official(images, layers)

        def judge(layer: str, actual: np.ndarray) -> LayerResult:
            return compare.exact(str(network), layer, actual, expected.pop(layer))

        with self._step(f"{network}: port, integers in {dtype}"):
            return pair.results(gate, layers, images, judge)

    def exact_inputs(self, network: Network, dtype: str) -> tuple[Variables, np.ndarray]:
        """The integer network's variables and images."""

        def choose(channels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            return unit_scales(channels, dtype, BATCH_NORM_EPSILON).choose(rng)

        graph = self.graph(network, dtype)
        shapes = {name: variable.shape for name, variable in graph.variables.items()}
        area = exact.map_area(graph.layers["final_layer.relu"].shape)
        variables = exact.exact_variables(shapes, dtype, area, self.options.seed, choose)
        return variables, exact.exact_images(network.height, network.width, dtype, self.options.seed)

    def _values(self, network: Network) -> dict[tuple[str, Network], Results]:
        """The float64 and the float32 gate, which share their truth; of several images the worst result counts."""
        layers = {gate: self._selected(gate, network) for gate in ("float64", "float32")}
        with self._step(f"{network}: checkpoint"):
            variables = self.variables(network)
        for dtype in ("float64", *(["float32"] if layers["float32"] else [])):
            self.pair(network, dtype).load(variables)
        worst: dict[tuple[str, Network], Results] = {(gate, network): {} for gate in layers}
        images = load_images(self.source, self.options.images_of(network), network.height, network.width)
        for number, image in enumerate(images, start=1):
            for gate, results in self._image(network, image[None], layers, last=number == len(images)).items():
                kept = worst[gate, network]
                for layer, new in results.items():
                    kept[layer] = max(kept.get(layer, new), new, key=lambda result: result.margin)
        return worst

    def _image(
        self, network: Network, image: np.ndarray, layers: Mapping[str, frozenset[str]], last: bool
    ) -> dict[str, Results]:
        """Results by gate for one image (1, H, W, 3); behind the `last`, weights in float64 are needed no more."""
        pair = self.pair(network, "float64")
        with self._step(f"{network}: official network in float64"):
            truth = pair.official(image, layers["float64"] | layers["float32"])

        def float64(layer: str, actual: np.ndarray) -> LayerResult:
            return compare.float64(str(network), layer, actual, truth[layer])

        with self._step(f"{network}: port in float64"):
            results = {"float64": pair.results("float64", layers["float64"], image, float64)}
        if last:
            self._pairs.pop("float64").close()
        if not layers["float32"]:
            return results
        pair = self.pair(network, "float32")
        with self._step(f"{network}: official network in float32"):
            values = pair.official(image, layers["float32"])
            official = {layer: metrics.distance(values.pop(layer), truth[layer]) for layer in list(values)}
        independent = metrics.independent_neighbourhoods(image[0])

        def float32(layer: str, actual: np.ndarray) -> LayerResult:
            return compare.float32(str(network), layer, actual, truth[layer], official[layer], independent)

        with self._step(f"{network}: port in float32"):
            return results | {"float32": pair.results("float32", layers["float32"], image, float32)}

    def variables(self, network: Network) -> Variables:
        """The checkpoint's variables, checked against the official network; those read last are kept."""
        prefix = self.options.checkpoint or synthetic_checkpoint(
            self.source,
            network.variant,
            variant(network.variant).image_size,
            self.options.seed,
            sorted(PHOTOGRAPHS.glob("*.jpg")),
        )
        if self._checkpoint is None or self._checkpoint[0] != prefix:
            self._checkpoint = prefix, checkpoint.read(prefix)
        variables = self._checkpoint[1]
        shapes = {name: variable.shape for name, variable in self.graph(network, "float32").variables.items()}
        checkpoint.check(prefix, variables, shapes)
        return variables
