"""The official network in training, as TensorFlow runs it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from parity.core.integers import exact_images
from parity.core.layers import Network, block
from parity.core.pinning import SIDE_THREADS, release_memory
from parity.core.training_names import STATISTICS, names
from parity.reference.training import RATE, UPDATES, Arrays, IntegerGradients, Parts, unmoved
from tf_reference.backward import ROOT, BackwardGraph, BackwardRun
from tf_reference.isolated import IsolatedRun
from tf_reference.layers import Layer
from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch, TrainingRun

# Of the integer network, the values other than zero in each kernel, depthwise or other. The least there can be: what a
# forward and a backward give is multiplied, and has to stay exact.
DENSITY = (1, 1)


class MakeGraph(Protocol):
    """Makes the training graph of a dtype."""

    def __call__(self, dtype: str, whole_steps: bool = False) -> TrainingGraph: ...


class LiveTraining:
    """The official network in training, run by TensorFlow. Sessions are opened when they are needed.

    `graph` makes the training graph of a dtype, for whole steps where these are asked for, and `integers` the integer
    network's values and gradients.
    """

    def __init__(
        self,
        network: Network,
        graph: MakeGraph,
        variables: Mapping[str, np.ndarray],
        batches: Sequence[Batch],
        integers: Callable[[], IntegerGradients],
        untrained: bool = False,
    ) -> None:
        self.network = network
        self.variables = variables
        self.batches = batches
        self.integers = integers
        self.untrained = untrained
        self._graph = graph
        self._runs: dict[str, TrainingRun] = {}

    @property
    def parts(self) -> Parts:
        """What the official training graph has."""
        graph = self._graph("float64")
        return Parts(
            graph.network.layers, frozenset(graph.gradients), frozenset(graph.draws), frozenset(graph.regularized)
        )

    def forward(self, dtype: str) -> Arrays:
        """Return each layer's value (NHWC) on the first batch."""
        return self._run(dtype).forward(self.batches[0])

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """Return the parts of the loss, and the gradients at each layer and of each variable, on the first batch."""
        return self._run(dtype).backward(self.batches[0])

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Return how far each of `gradients` is from what the network makes of the same values in float64."""
        names_by_block: dict[str, list[str]] = {}
        for name in gradients:
            names_by_block.setdefault(block(name), []).append(name)
        errors = {}
        with IsolatedRun(self._graph("float64"), SIDE_THREADS) as isolated:
            isolated.assign(self.variables)
            # Block by block: all at once would take as much memory again as everything else.
            for names_of_block in names_by_block.values():
                # Subtracted in float64, and held in half of that.
                for name, truth in isolated.gradients(names_of_block, self.batches[0], values, gradients).items():
                    errors[name] = (gradients[name] - truth).astype(np.float32)
                release_memory()
        release_memory()
        return errors

    def statistics(self) -> dict[int, Arrays]:
        """Return the moving statistics in float32, from zero, after each number of updates in `UPDATES`."""
        run = self._run("float32")
        run.assign(unmoved(self.variables, self.network))
        statistics = names(STATISTICS, self.network)
        moved = {}
        for count, variables in run.statistics(self.batches[0], UPDATES).items():
            moved[count] = {name: variables[name] for name in statistics}
        return moved

    def steps(self, count: int) -> Arrays:
        """Return all variables, and what the optimiser and the averages keep, after `count` whole steps in float64."""
        # In a session of its own: the one of forward and backward would hold as many slots and averages from then on.
        with TrainingRun(self._graph("float64", whole_steps=True), SIDE_THREADS) as official:
            official.assign(self.variables)
            updated = official.update(self.batches[:count], RATE)
        release_memory()
        return updated

    def release(self, dtype: str) -> None:
        """Close the session in `dtype`, if there is one."""
        run = self._runs.pop(dtype, None)
        if run:
            run.close()
        release_memory()

    def _run(self, dtype: str) -> TrainingRun:
        """Return the session in `dtype`, opened and filled the first time."""
        if dtype not in self._runs:
            self._runs[dtype] = TrainingRun(self._graph(dtype), SIDE_THREADS)
            self._runs[dtype].assign(self.variables)
        return self._runs[dtype]


def integer_gradients(graph: BackwardGraph, variables: Mapping[str, np.ndarray], seed: int) -> IntegerGradients:
    """Return the integer network's values and gradients, as the official network computes them in float64."""
    spec = graph.network.spec
    layers = graph.network.layers
    images_nhwc = exact_images(spec.height, spec.width, "float64", seed)
    given_nhwc = given_gradient(layers, seed)
    with BackwardRun(graph, SIDE_THREADS) as official:
        official.assign_exact(variables)
        values = official.run(images_nhwc)
        gradients = official.backward(images_nhwc, given_nhwc)
    release_memory()
    return IntegerGradients(layers, variables, images_nhwc, given_nhwc, values, gradients)


def given_gradient(layers: Mapping[str, Layer], seed: int) -> np.ndarray:
    """Return random integers from -1 to 1, in float64, as the gradient (1, H, W, C) at the layer `ROOT`."""
    shape_hwc = [size for size in layers[ROOT].shape[1:] if size]
    integers = np.random.default_rng(seed).integers(-1, 1, (1, *shape_hwc), endpoint=True)
    return integers.astype(float)
