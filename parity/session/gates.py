"""The gates of one network, as a session judges them."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from parity.core.computing import Layers, Observe, Results, Step
from parity.core.pinning import SIDE_THREADS, pin_torch
from parity.core.policy import STRUCTURE, TRAINING_GATES
from parity.core.training_names import EXACT
from parity.gates import preprocess
from parity.gates.ahead import Ahead
from parity.gates.context import NetworkContext
from parity.gates.gate import Gate
from parity.gates.structure import compare_parts
from parity.gates.values import ExactGate, FloatGates
from parity.reference.interface import TrainingReference
from parity.reference.training import OfficialTraining
from tf_reference.layers import Layer

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator


class PreprocessGate(Gate):
    """The pixels that enter the network."""

    names = ("preprocess",)

    def __init__(self, context: NetworkContext, selected: Layers, step: Step) -> None:
        self._context = context
        self._selected = selected
        self._step = step

    def judge(self, _official: Ahead) -> dict[str, Results]:
        """Return the results by gate and image."""
        network = self._context.network
        with self._step(f"{network}: preprocessing"):
            # In an order that is the same in every run, as a set's is not.
            names = sorted(self._selected["preprocess"])
            return {"preprocess": preprocess.judge(self._context.reference, network, names)}


class StructureGate(Gate):
    """The layers and variables that either side has."""

    names = (STRUCTURE,)

    def __init__(self, context: NetworkContext, selected: Layers, step: Step) -> None:
        self._context = context
        self._selected = selected
        self._step = step

    def layers(self) -> Mapping[str, Layer]:
        """Return the official layers."""
        return self._context.graph("float32").layers

    def judge(self, _official: Ahead) -> dict[str, Results]:
        """Return the results by gate and layer, or block."""
        network = self._context.network
        with self._step(f"{network}: structure"):
            parts = self._context.candidate.parts(network)
            graph = self._context.graph("float32")
            return {STRUCTURE: compare_parts(network, graph, sorted(self._selected[STRUCTURE]), parts)}


class TrainingGate(Gate):
    """Gates of training, of one network: the gradients of the integer network, or all others."""

    # Both sides train one after the other, and take gigabytes.
    is_alone = True

    def __init__(
        self, names: tuple[str, ...], context: NetworkContext, selected: Layers, step: Step, observe: Observe
    ) -> None:
        self.names = names
        self._context = context
        self._network = context.network
        self._selected = selected
        self._step = step
        self._observe = observe

    @cached_property
    def _training(self) -> OfficialTraining:
        """The official network in training."""
        reference = self._context.reference
        assert isinstance(reference, TrainingReference), "the golden digests hold no training"
        with self._step(f"{self._network}: checkpoint"):
            return reference.training(self._network)

    def layers(self) -> Mapping[str, Layer]:
        """Return the official layers."""
        return self._training.parts.layers

    def judge(self, _official: Ahead) -> dict[str, Results]:
        """Return the results by gate and name."""
        # Imported here: what training takes besides, such as scipy, is imported with it alone.
        from parity.gates.training.exact import exact_gradients
        from parity.gates.training.judge import judge

        official = self._training
        # It holds weights and networks, which are not needed behind this.
        del self._training
        if self.names == (EXACT,):
            with self._step(f"{self._network}: official network's gradients, integers"):
                integers = official.integers()
            with self._step(f"{self._network}: port's gradients, integers"):
                return {EXACT: exact_gradients(self._network, integers, self._selected[EXACT])}
        if official.untrained:
            random = "the auxiliary head has random weights: the checkpoint has none for this size"
            self.notes = (f"{self._network}: {random}",)
        return judge(self._network, official, self._selected, self._step, observe=self._observe)


class EvaluationGate(Gate):
    """The evaluation on ImageNet, which builds networks of its own."""

    names = ("imagenet",)
    is_alone = True

    def __init__(self, context: NetworkContext, evaluator: "Evaluator") -> None:
        self._context = context
        self._evaluator = evaluator

    def judge(self, _official: Ahead) -> dict[str, Results]:
        """Return the one result, by gate and name."""
        # Those of the gates before it are needed no more.
        self._context.release()
        try:
            return {"imagenet": {"validation": self._evaluator.result(self._context.network)}}
        finally:
            # It computes on all threads.
            pin_torch(SIDE_THREADS)


def gates_of(
    context: NetworkContext,
    names: tuple[str, ...],
    selected: Layers,
    step: Step,
    observe: Observe,
    evaluator: "Evaluator | None",
) -> Iterator[Gate]:
    """Yield the gates that judge the `selected` names of one network, in the order of `names`, all gates of the run."""
    chosen = [name for name in names if name in selected]
    others = tuple(name for name in TRAINING_GATES if name != EXACT)
    covered: set[str] = set()
    for name in chosen:
        # Several gates may be judged at once.
        if name in covered:
            continue
        gate: Gate
        if name == "preprocess":
            gate = PreprocessGate(context, selected, step)
        elif name == STRUCTURE:
            gate = StructureGate(context, selected, step)
        elif name == "imagenet":
            assert evaluator
            gate = EvaluationGate(context, evaluator)
        elif name in TRAINING_GATES:
            together = (EXACT,) if name == EXACT else others
            gate = TrainingGate(together, context, selected, step, observe)
        elif name.startswith("exact"):
            gate = ExactGate(context, name.removeprefix("exact-"), selected, step, observe)
        else:
            gate = FloatGates(context, selected, step, observe)
        covered.update(gate.names)
        yield gate
