"""What a layer of a candidate does, as a list of PyTorch's operations, to be run again and to be written down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

# Where the number of groups stands among the arguments of a convolution.
GROUPS = 8
CONVOLUTION = "aten.convolution.default"


class Value(NamedTuple):
    """A tensor of a program: an `input` or a result (`t`) by its number, of several results one `part`; or a constant,
    by its `name`."""

    kind: str
    number: int = 0
    part: int | None = None
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return f"constants[{self.name!r}]"
        return f"{self.kind}{self.number}" + ("" if self.part is None else f"[{self.part}]")


@dataclass(frozen=True)
class Call:
    """An operation of PyTorch's, with values in the places of tensors among its arguments."""

    function: Any
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """The calls, by their numbers, that lead from inputs and constants to the `output`."""

    calls: Mapping[int, Call]
    output: Value
    constants: Mapping[str, Tensor] = field(repr=False)

    def run(self, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
        """Return the output on other inputs and constants. Raises whatever PyTorch raises."""
        results: dict[int, Any] = {}
        # An operation may change what it is given.
        inputs = [tensor.clone() for tensor in inputs]

        def value_of(value: Value) -> Any:
            """Return the tensor that a value stands for."""
            if value.name:
                return constants[value.name]
            found = inputs[value.number] if value.kind == "input" else results[value.number]
            return found if value.part is None else found[value.part]

        with torch.no_grad():
            for number, call in self.calls.items():
                arguments = _replaced(call.arguments, value_of)
                results[number] = call.function(*arguments, **_replaced(dict(call.keywords), value_of))
            output: Tensor = value_of(self.output)
        return output

    def with_groups(self, channels: int) -> "Program":
        """Return the program for so many channels: depthwise convolutions have as many groups."""
        calls = {}
        for number, call in self.calls.items():
            arguments = list(call.arguments)
            if str(call.function) == CONVOLUTION and arguments[GROUPS] > 1:
                arguments[GROUPS] = channels
            calls[number] = replace(call, arguments=tuple(arguments))
        return replace(self, calls=calls)

    def lines(self) -> Iterator[str]:
        """Yield the program as Python, a call a line, and then the output."""
        for number, call in self.calls.items():
            arguments = [_written(argument) for argument in call.arguments]
            arguments += [f"{name}={_written(value)}" for name, value in call.keywords.items()]
            yield f"t{number} = torch.ops.{call.function}({', '.join(arguments)})"
        yield f"output = {self.output}"


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations that run while it is entered, of a model whose parameters are constants."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._values = WeakTensorKeyDictionary()
        self._calls: list[Call] = []
        self._constants: dict[str, Tensor] = {}
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self._constants[name] = tensor
            self._values[tensor] = Value("constant", name=name)

    def is_input(self, tensor: Tensor, number: int) -> None:
        """Take a tensor for an input from here on, whatever it was made of."""
        self._values[tensor] = Value("input", number)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and record it."""
        call = Call(func, _replaced(args, self._value_of, Tensor), _replaced(kwargs or {}, self._value_of, Tensor))
        output = func(*args, **(kwargs or {}))
        number = len(self._calls)
        self._calls.append(call)
        if isinstance(output, Tensor):
            self._values[output] = Value("t", number)
        elif isinstance(output, (tuple, list)):
            for part, tensor in enumerate(output):
                if isinstance(tensor, Tensor):
                    self._values[tensor] = Value("t", number, part)
        return output

    def _value_of(self, tensor: Tensor) -> Value:
        """Return what a tensor stands for: what nothing was seen to make is a constant."""
        if tensor not in self._values:
            name = f"constant {len(self._constants)}"
            self._constants[name] = tensor
            self._values[tensor] = Value("constant", name=name)
        value: Value = self._values[tensor]
        return value

    def program(self, output: Tensor) -> Program:
        """Return the program that leads to a tensor."""
        result = self._value_of(output)
        needed: dict[int, Call] = {}
        constants: dict[str, Tensor] = {}
        to_visit = [result]
        while to_visit:
            value = to_visit.pop()
            if value.name:
                constants[value.name] = self._constants[value.name]
            elif value.kind == "t" and value.number not in needed:
                call = self._calls[value.number]
                needed[value.number] = call
                to_visit += _values_in([call.arguments, list(call.keywords.values())])
        return Program(dict(sorted(needed.items())), result, constants)


def _replaced(arguments: Any, replacement: Any, kind: type = Value) -> Any:
    """Return arguments with a replacement of each that is of a `kind`, those in lists and dictionaries too."""
    if isinstance(arguments, kind):
        return replacement(arguments)
    if isinstance(arguments, dict):
        return {name: _replaced(value, replacement, kind) for name, value in arguments.items()}
    if isinstance(arguments, (list, tuple)) and not isinstance(arguments, Value):
        return type(arguments)(_replaced(value, replacement, kind) for value in arguments)
    return arguments


def _values_in(arguments: Any) -> Iterator[Value]:
    """Yield the values among arguments, those in lists too."""
    if isinstance(arguments, Value):
        yield arguments
    elif isinstance(arguments, (list, tuple)):
        for argument in arguments:
            yield from _values_in(argument)


def _written(argument: Any) -> str:
    """Return an argument as Python."""
    if isinstance(argument, Value):
        return str(argument)
    if isinstance(argument, (list, tuple)):
        return f"[{', '.join(map(_written, argument))}]"
    if isinstance(argument, float):
        # An infinity has no other spelling.
        return repr(argument) if abs(argument) < float("inf") else f'float("{argument}")'
    if isinstance(argument, torch.device):
        return f"torch.device({str(argument)!r})"
    return repr(argument)
