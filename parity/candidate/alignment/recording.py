"""One forward recorded as operations, with what each takes, and which module gave it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from parity.candidate.alignment.operations import KINDS, Giver, Operation, Origin, attributes, tensors_in
from parity.candidate.alignment.parameters import SUMS, Parameters
from parity.candidate.hooks import hooked

# Operations that give the values that they take: the others scale, or make something else of them.
VIEWS = frozenset(("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "permute", "transpose"))
VIEWS |= frozenset(("t", "squeeze", "unsqueeze", "expand", "clone", "copy_", "_to_copy", "contiguous", "detach"))
VIEWS |= frozenset(("alias", "select", "split", "split_with_sizes", "chunk", "unbind", "as_strided", "lift_fresh"))


# Those that give a part of a tensor, to be read or to be written.
WINDOWS = frozenset(("slice", "select", "as_strided", "view", "permute", "transpose", "unsqueeze", "squeeze"))


@dataclass
class Written:
    """Memory that is written part by part, held so that nothing else lies there.

    Each part has its place; `origin` is what they are together, once they are read.
    """

    memory: Any
    parts: list[tuple[int, Origin]] = field(default_factory=list)
    origin: Origin | None = None


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations of a model on `images` (N, 3, H, W) while it is `recording`.

    `report` is called with the site of each operation as it has run, and with its value.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        report: Callable[[str, Tensor], None] = lambda _site, _value: None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.images = Operation("images", (), ())
        self._model = model
        self._report = report
        self._origins = WeakTensorKeyDictionary()
        self._origins[images] = Origin(self.images)
        self.parameters = Parameters(model)
        # What was written into memory that nothing was made of, by its address.
        self._written: dict[int, Written] = {}
        # The modules that are running, the innermost last, and how many operations of each kind ran in each.
        self._running = [""]
        self._counts: Counter[tuple[str, str]] = Counter()
        # By module: what it took, and gave, each time it ran.
        self._taken: dict[str, list[tuple[Origin | None, tuple[int, ...]]]] = {}
        self._given: dict[str, list[tuple[Origin, tuple[int, ...]]]] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what the model does while this lasts."""
        # The model itself has an empty path, and would give what its last module gives.
        modules = {path: module for path, module in self._model.named_modules() if path}
        # Not in inference mode, in which PyTorch does not take operations apart into those that are known here.
        with torch.no_grad(), hooked(modules, self._enters, self._leaves), self:
            yield

    def _enters(self, path: str, inputs: Any) -> None:
        self._running.append(path)
        self._taken[path] = [(self.origin(tensor), tuple(tensor.shape)) for tensor in tensors_in(inputs)]

    def _leaves(self, path: str, output: Any) -> None:
        self._running.pop()
        origin = self.origin(output)
        outputs = self._given.setdefault(path, [])
        if origin:
            outputs.append((origin, tuple(output.shape)))

    def note_givers(self) -> None:
        """Note at each operation the modules that gave it, once the forward has ended."""
        for path, outputs in self._given.items():
            # A module that ran twice has no one output.
            if len(outputs) != 1:
                continue
            origin, shape = outputs[0]
            taken = self._taken[path]
            sources = tuple(source.operation for source, _ in taken if source and not source.shifted)
            shapes = tuple(taken_shape for _, taken_shape in taken)
            takes_the_same = sources == origin.operation.inputs
            origin.operation.givers.append(Giver(path, shape, origin.changed, shapes if takes_the_same else None))

    @property
    def ran(self) -> frozenset[str]:
        """The paths of the modules that ran once."""
        return frozenset(path for path, outputs in self._given.items() if len(outputs) == 1)

    def origin(self, tensor: Any) -> Origin | None:
        """Return where a tensor comes from; None for one that is not made of the images."""
        if not isinstance(tensor, Tensor):
            return None
        if tensor in self._origins:
            origin: Origin = self._origins[tensor]
            return origin
        written = self._written.get(tensor.untyped_storage().data_ptr()) if self._written else None
        return self._collected(written, tensor) if written else None

    def _collected(self, written: "Written", tensor: Tensor) -> Origin:
        """Return the origin of a tensor that was written part by part: a concatenation of the parts."""
        if written.origin is None:
            parts = [origin for _place, origin in sorted(written.parts, key=lambda part: part[0])]
            # One alone is a map within a larger one of zeros, say.
            one = replace(parts[0], changed=True)
            written.origin = one if len(parts) == 1 else self._add("concat", (), parts, {}, tensor)
        return written.origin

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and record it if it is made of the images."""
        if torch.is_inference_mode_enabled():
            # There PyTorch does not take operations apart into those that are known here.
            with self:
                decomposed = func.decompose(*args, **(kwargs or {}))
            if decomposed is not NotImplemented:
                return decomposed
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name == "copy_" and self._is_written(args[0], args[1]):
            return output
        tensors = list(tensors_in([*args, *(kwargs or {}).values()]))
        # What is about to be written part by part is only looked at through views.
        known = self._origins.get if name in WINDOWS else self.origin
        origins = [origin for tensor in tensors if (origin := known(tensor))]
        self.parameters.take(tensors)
        results = list(tensors_in([output]))
        if origins and results:
            self._origins[results[0]] = self._record(name, args, origins, results[0])
            # Of several, those that are parts of what was given.
            for part in results[1:] if name in VIEWS else ():
                self._origins[part] = replace(self._origins[results[0]], changed=True)
        if not origins:
            for result in results:
                self.parameters.make(name, tensors, result)
        return output

    def _is_written(self, target: Tensor, source: Any) -> bool:
        """Note what is written into a part of memory that nothing was made of; return whether that is so."""
        origin = self.origin(source)
        if origin is None or target in self._origins:
            return False
        memory = target.untyped_storage()
        written = self._written.setdefault(memory.data_ptr(), Written(memory))
        written.parts.append((int(target.storage_offset()), origin))
        return True

    def _record(self, name: str, args: Any, origins: list[Origin], result: Tensor) -> Origin:
        """Return the origin of what an operation gives: itself, or for one of no account that of what it takes."""
        kind = KINDS.get(name, "")
        first = origins[0]
        if name == "slice":
            return self._sliced(args, first, result)
        if kind == "pool" and list(args[1]) == [1, 1]:
            return self._add("subsample", (first.shifted,), origins, {}, result)
        if kind == "pool" and result.shape[2:] == (1, 1):
            return self._add("mean", (), origins, {}, result)
        if name == "constant_pad_nd":
            shifts = any(side < 0 for side in args[1])
            return self._change("pad", first, first.shifted or shifts, result)
        if len(origins) == 1 and kind == "add":
            return self._one_sided(name, args, first, result)
        if name == "sum" and first.operation.kind == "stack" and result.ndim == len(first.operation.shape) - 1:
            first.operation.is_step = True
            return self._add("add", (), [Origin(given) for given in first.operation.inputs], {}, result)
        if not kind or (name in ("clamp", "clamp_") and not _is_relu(args)):
            # Views and copies: the same values elsewhere, or in another shape.
            return first if name in VIEWS else replace(first, scaled=True)
        is_dense = kind == "conv" and result.shape[2:] == (1, 1) == args[1].shape[2:]
        if is_dense:
            kind = "linear"
        if kind == "softmax" and first.scaled:
            # The integer network's probabilities are the same, whatever its logits are multiplied by.
            kind = "scaled_softmax"
        return self._add(kind, attributes(kind, args), origins, self.parameters.of_operation(name, args), result)

    def _sliced(self, args: Any, first: Origin, result: Tensor) -> Origin:
        """Return the origin of a slice: every second row of every second column of a map is an operation."""
        dimension = args[1] if len(args) > 1 else 0
        start = (args[2] if len(args) > 2 else 0) or 0
        step = args[4] if len(args) > 4 else 1
        shifted = first.shifted or start > 0
        if step == 2 and dimension >= 2:
            if first.halved:
                return self._add("subsample", (shifted,), [first], {}, result)
            return Origin(first.operation, first.changed, shifted, halved=True)
        if step == 1 and start == 0 and (len(args) < 4 or args[3] is None or args[3] >= 2**62):
            return first
        first.operation.cut = True
        return self._change("slice", first, shifted, result)

    def _change(self, kind: str, first: Origin, shifted: bool, result: Tensor) -> Origin:
        """Return the origin of what pads or cuts an operation's output, and note it there."""
        site = self._site(kind)
        first.operation.changes.append((site, tuple(result.shape)))
        self._report(site, result)
        return Origin(first.operation, changed=True, shifted=shifted)

    def _site(self, kind: str) -> str:
        """Return where the next operation of a kind runs."""
        path = self._running[-1]
        number = self._counts[path, kind]
        self._counts[path, kind] += 1
        return f"{path}:{kind}.{number}"

    def _one_sided(self, name: str, args: Sequence[Any], first: Origin, result: Tensor) -> Origin:
        """Return the origin of what is scaled or shifted by something that is not made of the images.

        By parameters, that is a dense layer's bias, or a step of a batch norm that is written out: the layer gives its
        value with the last of its steps. The larger of a value and a constant is a ReLU. By anything else it is none of
        the network's.
        """
        if name in ("maximum", "minimum"):
            return self._add("activation", (), [first], {}, result)
        operation = first.operation
        goes_on = operation.is_written_out or (operation.kind == "linear" and name in SUMS)
        known = operation.parameters if goes_on else {}
        roles = self.parameters.of_step(name, args, known)
        if not roles:
            return replace(first, scaled=True)
        operation.is_step = goes_on
        kind = operation.kind if goes_on else "batch_norm"
        inputs = operation.inputs if goes_on else (operation,)
        origin = self._add(kind, (), [Origin(given) for given in inputs], {**known, **roles}, result)
        origin.operation.is_written_out = kind == "batch_norm"
        return origin

    def _add(
        self,
        kind: str,
        attributes: tuple[Any, ...],
        origins: list[Origin],
        parameters: Mapping[str, str],
        result: Tensor,
    ) -> Origin:
        """Record an operation, and return it as the origin of what it gives."""
        site = self._site(kind)
        inputs = tuple(origin.operation for origin in origins)
        operation = Operation(kind, attributes, inputs, tuple(result.shape), site, parameters)
        self.operations.append(operation)
        self._report(site, result)
        return Origin(operation)


def _is_relu(args: Any) -> bool:
    """Return whether what these arguments clamp is not clamped from above."""
    return len(args) < 3 or args[2] is None


@dataclass(frozen=True)
class Recording:
    """A model's forward: its operations in order, from the images on, the names of the weights that it took, the paths
    of the modules that ran once, and the error that ended it, if one did."""

    operations: tuple[Operation, ...]
    images: Operation
    used: frozenset[str]
    ran: frozenset[str]
    error: Exception | None = None


def record(model: nn.Module, run: Callable[[Tensor], object], images: Tensor) -> Recording:
    """Return the operations of one forward of `model`, which `run` runs on `images` (N, 3, H, W), as far as it gets."""
    recorder = Recorder(model, images)
    failed: Exception | None = None
    with recorder.recording():
        try:
            run(images)
        except Exception as error:  # up to there the model can be judged
            failed = error
    recorder.note_givers()
    # A step that something else takes, too, is an operation of its own.
    taken = {given for operation in recorder.operations for given in operation.inputs}
    operations = tuple(one for one in recorder.operations if not one.is_step or one in taken)
    return Recording(operations, recorder.images, frozenset(recorder.parameters.used), recorder.ran, failed)
