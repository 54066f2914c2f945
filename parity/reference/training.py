"""What the official network gives in training, as it runs; or what a trace holds of that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parity.core.integers import exact_images
from parity.core.layers import Network, block
from parity.core.pinning import release_memory
from parity.core.training_names import STATISTICS, names
from tf_reference.backward import ROOT, BackwardGraph, BackwardRun
from tf_reference.isolated import IsolatedRun
from tf_reference.layers import Layer
from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch, TrainingRun

Arrays = dict[str, np.ndarray]
# The learning rate of whole steps: the least that slim's schedules end in. Weights that were never trained are no
# minimum, and at slim's first, 0.01, each step makes rounding some ten times as large (docs/calibration.md).
RATE = 0.0001
# Of the integer network, the values other than zero in each kernel, depthwise or other: what a forward and a backward
# give is multiplied.
DENSITY = (1, 1)
# After how many updates moving statistics are compared.
UPDATES = (1, 3)


@dataclass(frozen=True)
class Parts:
    """What the official training graph has: layers, what gets a gradient, what draws, what the loss regularises."""

    layers: Mapping[str, Layer]
    gradients: frozenset[str]
    draws: frozenset[str]
    regularized: frozenset[str]


@dataclass(frozen=True)
class IntegerGradients:
    """The integer network in evaluation, up to its last map: what goes in, the gradient that is `given` there, and the
    official values and gradients, by name. Gigabytes, of which judging leaves nothing."""

    layers: Mapping[str, Layer]
    variables: Mapping[str, np.ndarray]
    images_nhwc: np.ndarray
    given_nhwc: np.ndarray
    values: Arrays
    gradients: Arrays


class OfficialTraining(Protocol):
    """The official network, trained from `variables` on `batches`: layers NHWC, variables in TensorFlow's layouts, all
    by name. What a method gives is the caller's to use up."""

    @property
    def parts(self) -> Parts: ...

    @property
    def variables(self) -> Mapping[str, np.ndarray]: ...

    @property
    def batches(self) -> Sequence[Batch]: ...

    @property
    def untrained(self) -> bool:
        """Whether the auxiliary head has random weights, as the checkpoint has none for the size."""
        ...

    def forward(self, dtype: str) -> Arrays:
        """Each layer's value, on the first batch."""
        ...

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """The parts of the loss, and the gradients at each layer and of each variable."""
        ...

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """How far each gradient in float32 is from what the official network makes of the same values in float64."""
        ...

    def statistics(self) -> dict[int, Arrays]:
        """The moving statistics in float32, from zero, after each of `UPDATES`."""
        ...

    def steps(self, count: int) -> Arrays:
        """In float64, after so many whole steps: all variables, and what the optimiser and the averages keep."""
        ...

    def integers(self) -> IntegerGradients: ...

    def release(self, dtype: str) -> None:
        """Frees what it takes to run in it."""
        ...


class LiveTraining:
    """The official network, run by TensorFlow; the graphs are made when they are needed."""

    def __init__(
        self,
        network: Network,
        graph: Callable[[str], TrainingGraph],
        variables: Mapping[str, np.ndarray],
        batches: Sequence[Batch],
        integers: Callable[[], IntegerGradients],
        threads: int,
        untrained: bool = False,
    ) -> None:
        self.network, self.variables, self.batches, self.integers = network, variables, batches, integers
        self.untrained = untrained
        self._graph, self._threads = graph, threads
        self._references: dict[str, TrainingRun] = {}

    @property
    def parts(self) -> Parts:
        graph = self._graph("float64")
        names = (frozenset(group) for group in (graph.gradients, graph.draws, graph.regularized))
        return Parts(graph.network.layers, *names)

    def forward(self, dtype: str) -> Arrays:
        return self._reference(dtype).forward(self.batches[0])

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        return self._reference(dtype).backward(self.batches[0])

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        blocks: dict[str, list[str]] = {}
        for name in gradients:
            blocks.setdefault(block(name), []).append(name)
        errors = {}
        with IsolatedRun(self._graph("float64"), self._threads) as alone:
            alone.assign(self.variables)
            for names in blocks.values():  # all at once would take as much memory again as everything else
                for name, truth in alone.gradients(names, self.batches[0], values, gradients).items():
                    errors[name] = (gradients[name] - truth).astype(np.float32)
                release_memory()
        release_memory()
        return errors

    def statistics(self) -> dict[int, Arrays]:
        reference, kept = self._reference("float32"), names(STATISTICS, self.network)
        reference.assign(unmoved(self.variables, self.network))
        found = reference.statistics(self.batches[0], UPDATES)
        return {count: {name: rows[name] for name in kept} for count, rows in found.items()}

    def steps(self, count: int) -> Arrays:
        # Behind it, the session would hold as many slots and averages.
        with TrainingRun(self._graph("float64"), self._threads) as reference:
            reference.assign(self.variables)
            updated = reference.update(self.batches[:count], RATE)
        release_memory()
        return updated

    def release(self, dtype: str) -> None:
        if reference := self._references.pop(dtype, None):
            reference.close()
        release_memory()

    def _reference(self, dtype: str) -> TrainingRun:
        if dtype not in self._references:
            self._references[dtype] = TrainingRun(self._graph(dtype), self._threads)
            self._references[dtype].assign(self.variables)
        return self._references[dtype]


def unmoved(variables: Mapping[str, np.ndarray], network: Network) -> Arrays:
    """The variables, with moving statistics at zero: no bit of an update is lost behind what was there."""
    return {**variables, **{name: np.zeros_like(variables[name]) for name in names(STATISTICS, network)}}


def integer_gradients(
    graph: BackwardGraph, variables: Mapping[str, np.ndarray], threads: int, seed: int
) -> IntegerGradients:
    """Of the official network as it runs."""
    spec, layers = graph.network.spec, graph.network.layers
    images, given = exact_images(spec.height, spec.width, "float64", seed), given_gradient(layers, seed)
    with BackwardRun(graph, threads) as reference:
        reference.assign_exact(variables)
        found = reference.run(images), reference.backward(images, given)
    release_memory()
    return IntegerGradients(layers, variables, images, given, *found)


def given_gradient(layers: Mapping[str, Layer], seed: int) -> np.ndarray:
    """Random integers (1, H, W, C) of the shape of the layer `ROOT`."""
    shape = layers[ROOT].shape[1:]
    return np.random.default_rng(seed).integers(-1, 1, (1, *map(int, filter(None, shape))), endpoint=True).astype(float)
