"""The operations of one forward, with what each takes, and which module gave it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from parity.candidate.capture import hooked

# What PyTorch calls operations of one kind.
KINDS = {
    **dict.fromkeys(("convolution", "mkldnn_convolution"), "conv"),
    **dict.fromkeys(("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"), "batch_norm"),
    **dict.fromkeys(("relu", "relu_", "clamp_min", "clamp_min_"), "relu"),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool2d"), "max_pool"),
    "avg_pool2d": "avg_pool",
    **dict.fromkeys(("add", "add_"), "add"),
    "cat": "concat",
    **dict.fromkeys(("mean", "_adaptive_avg_pool2d", "adaptive_avg_pool2d"), "mean"),
    **dict.fromkeys(("addmm", "linear"), "linear"),
    "_softmax": "softmax",
}
# Those whose inputs may come in any order.
UNORDERED = ("add", "concat")


@dataclass(eq=False)
class Operation:
    """An operation of a forward: its `kind`, what tells it from others of that kind, and the operations that feed it.

    `shape` is its output's, and `parameters` are the model's that it takes, in the order of its arguments. `givers` are
    the modules whose output it is, or a part of it, the innermost first. It is `cut` where only a part of its output
    is read.
    """

    kind: str
    attributes: tuple[Any, ...]
    inputs: tuple["Operation", ...]
    shape: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()
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
    """Where a tensor comes from: an operation, and whether that output was padded or cut, or shifted by a pixel."""

    operation: Operation
    changed: bool = False
    shifted: bool = False


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations of a model on `images` (N, 3, H, W) while it is entered."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.images = Operation("images", (), ())
        self._origins = WeakTensorKeyDictionary()
        self._origins[images] = Origin(self.images)
        self._names = WeakTensorKeyDictionary()
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self._names[tensor] = name

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
        arguments = [*args, *(kwargs or {}).values()]
        tensors = list(_tensors(arguments))
        origins = [origin for tensor in tensors if (origin := self.origin(tensor))]
        result = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(result, Tensor):
            return output
        if not origins:
            # A view of a parameter, as a dense layer takes one.
            named = [self._names[tensor] for tensor in tensors if tensor in self._names]
            if len(named) == 1:
                self._names[result] = named[0]
            return output
        self._origins[result] = self._record(name, args, origins, tensors, result)
        return output

    def _record(self, name: str, args: Any, origins: list[Origin], tensors: list[Tensor], result: Tensor) -> Origin:
        """Return the origin of what an operation gives: itself, or for one of no account that of what it takes."""
        kind = KINDS.get(name, "")
        first = origins[0]
        if name == "slice":
            return self._sliced(args, first, result)
        if kind == "avg_pool" and list(args[1]) == [1, 1]:
            return self._add("subsample", (first.shifted,), origins, tensors, result)
        if kind == "avg_pool" and result.shape[2:] == (1, 1):
            return self._add("mean", (), origins, tensors, result)
        if name == "constant_pad_nd":
            shifts = any(side < 0 for side in args[1])
            return Origin(first.operation, changed=True, shifted=first.shifted or shifts)
        if not kind:
            # Views and copies: the same values elsewhere, or in another shape.
            return first
        return self._add(kind, _attributes(kind, args), origins, tensors, result)

    def _sliced(self, args: Any, first: Origin, result: Tensor) -> Origin:
        """Return the origin of a slice: every second pixel of a map is an operation, of which the rows tell."""
        dimension = args[1] if len(args) > 1 else 0
        start = (args[2] if len(args) > 2 else 0) or 0
        step = args[4] if len(args) > 4 else 1
        if step == 2 and dimension == 2:
            return self._add("subsample", (first.shifted or start > 0,), [first], [], result)
        is_whole = start == 0 and (len(args) < 4 or args[3] is None or args[3] >= 2**62)
        if step == 2 or (step == 1 and is_whole):
            return first
        first.operation.cut = True
        return Origin(first.operation, changed=True, shifted=first.shifted or start > 0)

    def _add(
        self, kind: str, attributes: tuple[Any, ...], origins: list[Origin], tensors: list[Tensor], result: Tensor
    ) -> Origin:
        """Record an operation, and return it as the origin of what it gives."""
        parameters = tuple(self._names[tensor] for tensor in tensors if tensor in self._names)
        inputs = tuple(origin.operation for origin in origins)
        if kind == "add" and len(inputs) < 2:
            # A constant, which is no operation of the network.
            return origins[0]
        operation = Operation(kind, attributes, inputs, tuple(result.shape), parameters)
        self.operations.append(operation)
        return Origin(operation)


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
    """A model's forward: its operations in order, from the images on."""

    operations: tuple[Operation, ...]
    images: Operation


def record(model: nn.Module, run: Callable[[Tensor], object], images: Tensor) -> Recording:
    """Return the operations of one forward of `model`, which `run` runs on `images` (N, 3, H, W)."""
    recorder = Recorder(model, images)
    taken: dict[str, list[tuple[Origin | None, tuple[int, ...]]]] = {}
    given: dict[str, list[tuple[Origin, tuple[int, ...]]]] = {}

    def enters(path: str, inputs: Any) -> None:
        taken[path] = [(recorder.origin(tensor), tuple(tensor.shape)) for tensor in _tensors(inputs)]

    def leaves(path: str, output: Any) -> None:
        origin = recorder.origin(output)
        given.setdefault(path, [])
        if origin:
            given[path].append((origin, tuple(output.shape)))

    # The model itself has an empty path, and would give what its last module gives.
    modules = {path: module for path, module in model.named_modules() if path}
    with torch.no_grad(), hooked(modules, enters, leaves), recorder:
        run(images)
    for path, outputs in given.items():
        # A module that ran twice has no one output.
        if len(outputs) == 1:
            origin, shape = outputs[0]
            operation = origin.operation
            sources = tuple(source.operation for source, _ in taken[path] if source and not source.shifted)
            shapes = tuple(taken_shape for _, taken_shape in taken[path])
            operation.givers.append(Giver(path, shape, origin.changed, shapes if sources == operation.inputs else None))
    return Recording(tuple(recorder.operations), recorder.images)
