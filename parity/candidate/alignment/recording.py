"""The operations of one forward, with what each takes, and which module gave it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from parity.candidate.hooks import hooked

BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
# What PyTorch calls operations of one kind.
KINDS = {
    **dict.fromkeys(("convolution", "mkldnn_convolution"), "conv"),
    **dict.fromkeys(BATCH_NORMS, "batch_norm"),
    **dict.fromkeys(("relu", "relu_", "clamp_min", "clamp_min_", "clamp", "clamp_", "maximum", "threshold"), "relu"),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool2d"), "max_pool"),
    "avg_pool2d": "avg_pool",
    **dict.fromkeys(("add", "add_"), "add"),
    "cat": "concat",
    **dict.fromkeys(("mean", "_adaptive_avg_pool2d", "adaptive_avg_pool2d"), "mean"),
    **dict.fromkeys(("addmm", "linear", "mm"), "linear"),
    "_softmax": "softmax",
}
# Those whose inputs may come in any order.
UNORDERED = ("add", "concat")
# What each argument of an operation is to it, of those that are parameters, by what PyTorch calls the operation.
ROLES = {
    "addmm": ("bias", "", "weight"),
    "mm": ("", "weight"),
    **dict.fromkeys(("convolution", "mkldnn_convolution", "linear"), ("", "weight", "bias")),
    **dict.fromkeys(BATCH_NORMS, ("", "weight", "bias", "running_mean", "running_var")),
}


@dataclass(eq=False)
class Operation:
    """An operation of a forward: its `kind`, what tells it from others of that kind, and the operations that feed it.

    `shape` is its output's, and `parameters` are the names of the model's that it takes, by what they are to it
    (`weight`, `running_mean`). `givers` are the modules whose output it is, or a part of it, the innermost first. It is
    `cut` where only a part of its output is read. Its `site` is the module in whose forward it runs, and its number
    there among those of its kind: `cells.3:add.0`.
    """

    kind: str
    attributes: tuple[Any, ...]
    inputs: tuple["Operation", ...]
    shape: tuple[int, ...] = ()
    site: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    givers: list["Giver"] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class Giver:
    """A module by its path, with the shape of what it gives, and the shapes of what it takes.

    These are None where it takes anything else than the operation does. What it gives may be `changed`: padded or cut.
    """

    path: str
    shape: tuple[int, ...]
    changed: bool
    taken: tuple[tuple[int, ...], ...] | None


@dataclass(frozen=True)
class Origin:
    """Where a tensor comes from: an operation, and whether that output was padded or cut, or shifted by a pixel.

    It is `halved` where every second row of a map is taken, or every second column, but not yet both.
    """

    operation: Operation
    changed: bool = False
    shifted: bool = False
    halved: bool = False


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations of a model on `images` (N, 3, H, W) while it is `recording`.

    `report` is called with each operation as it has run, and with its value.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        report: Callable[[Operation, Tensor], None] = lambda _operation, _value: None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.images = Operation("images", (), ())
        self._model = model
        self._report = report
        self._origins = WeakTensorKeyDictionary()
        self._origins[images] = Origin(self.images)
        # The names of parameters, and of what is made of one alone; and of all that any operation took.
        self._names = WeakTensorKeyDictionary()
        self.used: set[str] = set()
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self._names[tensor] = name
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
        self._taken[path] = [(self.origin(tensor), tuple(tensor.shape)) for tensor in _tensors(inputs)]

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

    def origin(self, tensor: Any) -> Origin | None:
        """Return where a tensor comes from; None for one that is not made of the images."""
        if not isinstance(tensor, Tensor) or tensor not in self._origins:
            return None
        origin: Origin = self._origins[tensor]
        return origin

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and record it if it is made of the images."""
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        tensors = list(_tensors([*args, *(kwargs or {}).values()]))
        origins = [origin for tensor in tensors if (origin := self.origin(tensor))]
        named = [self._names[tensor] for tensor in tensors if tensor in self._names]
        self.used.update(named)
        result = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(result, Tensor):
            return output
        if not origins:
            # A view of a parameter, as a dense layer takes one.
            if len(named) == 1:
                self._names[result] = named[0]
            return output
        self._origins[result] = self._record(name, args, origins, result)
        return output

    def _record(self, name: str, args: Any, origins: list[Origin], result: Tensor) -> Origin:
        """Return the origin of what an operation gives: itself, or for one of no account that of what it takes."""
        kind = KINDS.get(name, "")
        first = origins[0]
        if name == "slice":
            return self._sliced(args, first, result)
        if kind in ("avg_pool", "max_pool") and list(args[1]) == [1, 1]:
            return self._add("subsample", (first.shifted,), origins, {}, result)
        if kind == "avg_pool" and result.shape[2:] == (1, 1):
            return self._add("mean", (), origins, {}, result)
        if name == "constant_pad_nd":
            shifts = any(side < 0 for side in args[1])
            return Origin(first.operation, changed=True, shifted=first.shifted or shifts)
        if kind == "add" and len(origins) == 1:
            return self._plus(args, first, result)
        if not kind or (name in ("clamp", "clamp_") and not _is_relu(args)):
            # Views and copies: the same values elsewhere, or in another shape.
            return first
        return self._add(kind, _attributes(kind, args), origins, self._parameters(name, args), result)

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
        return Origin(first.operation, changed=True, shifted=shifted)

    def _plus(self, args: Any, first: Origin, result: Tensor) -> Origin:
        """Return the origin of what has something added to it: a dense layer's bias, or what is none of the network's.

        A dense layer gives its value with the bias.
        """
        operation = first.operation
        names = [self._names[tensor] for tensor in _tensors(args) if tensor in self._names]
        if operation.kind != "linear" or "bias" in operation.parameters or not names:
            return first
        self.operations.remove(operation)
        sources = [Origin(given) for given in operation.inputs]
        return self._add("linear", (), sources, {**operation.parameters, "bias": names[0]}, result)

    def _parameters(self, name: str, args: Any) -> dict[str, str]:
        """Return the names of the model's parameters that an operation takes, by what they are to it."""
        parameters = {}
        # A bias may be left out at the end.
        for role, argument in zip(ROLES.get(name, ()), args, strict=False):
            if role and isinstance(argument, Tensor) and argument in self._names:
                parameters[role] = self._names[argument]
        return parameters

    def _add(
        self,
        kind: str,
        attributes: tuple[Any, ...],
        origins: list[Origin],
        parameters: Mapping[str, str],
        result: Tensor,
    ) -> Origin:
        """Record an operation, and return it as the origin of what it gives."""
        path = self._running[-1]
        site = f"{path}:{kind}.{self._counts[path, kind]}"
        self._counts[path, kind] += 1
        inputs = tuple(origin.operation for origin in origins)
        operation = Operation(kind, attributes, inputs, tuple(result.shape), site, parameters)
        self.operations.append(operation)
        self._report(operation, result)
        return Origin(operation)


def _is_relu(args: Any) -> bool:
    """Return whether what these arguments clamp is not clamped from above."""
    return len(args) < 3 or args[2] is None


def _tensors(arguments: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, those in lists too."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from _tensors(argument)


def _attributes(kind: str, args: Any) -> tuple[Any, ...]:
    """Return what tells an operation from others of its kind: not its padding, nor an epsilon, which may be wrong."""
    if kind == "conv":
        weight = args[1]
        stride, groups = args[3], args[8]
        return (tuple(weight.shape), tuple(stride), groups > 1)
    if kind in ("max_pool", "avg_pool"):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        return tuple(args[1]), tuple(stride)
    return ()


@dataclass(frozen=True)
class Recording:
    """A model's forward: its operations in order, from the images on, and the names of the weights that it took."""

    operations: tuple[Operation, ...]
    images: Operation
    used: frozenset[str]


def record(model: nn.Module, run: Callable[[Tensor], object], images: Tensor) -> Recording:
    """Return the operations of one forward of `model`, which `run` runs on `images` (N, 3, H, W)."""
    recorder = Recorder(model, images)
    with recorder.recording():
        run(images)
    recorder.note_givers()
    return Recording(tuple(recorder.operations), recorder.images, frozenset(recorder.used))
