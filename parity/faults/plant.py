"""Ways to plant something in a model: in a copy that shares the weights of the sound one, which stays as it is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pnasnet_torch import PNASNet
from pnasnet_torch.cell import Cell, Scope
from pnasnet_torch.genotype import PNASNET_5

Change = Callable[[Tensor], Tensor]


Module = TypeVar("Module", bound=nn.Module)


def copied(model: Module) -> Module:
    """A model of its own modules, parameters and buffers; the parameters share their memory, to be replaced and not
    written to. Much faster than copy.deepcopy."""
    new = model.__class__.__new__(model.__class__)
    state = {name: value.copy() if isinstance(value, dict) else value for name, value in vars(model).items()}
    new.__dict__.update(state)
    new._modules = {name: copied(module) for name, module in model._modules.items() if module is not None}
    rows = model._parameters.items()
    new._parameters = {name: row if row is None else nn.Parameter(row.data, requires_grad=False) for name, row in rows}
    new._buffers = {name: None if row is None else row.clone() for name, row in model._buffers.items()}
    return new


def part(model: nn.Module, path: str) -> Any:
    """The module at `path`, of whatever kind it is there."""
    return model.get_submodule(path)


def replace(model: PNASNet, layer: str, function: Callable[..., Tensor]) -> None:
    """Makes `layer` compute `function`."""
    part(model, layer).forward = function


def after(model: PNASNet, layer: str, function: Change) -> None:
    """Has `layer` give what `function` makes of its output."""
    forward = part(model, layer).forward
    replace(model, layer, lambda *inputs: function(forward(*inputs)))


def change(model: PNASNet, layer: str, parameter: str, function: Change) -> None:
    """Gives `layer` other values for a parameter or buffer."""
    module = part(model, layer)
    with torch.no_grad():
        new = function(getattr(module, parameter)).contiguous()
    if parameter in module._buffers:
        module._buffers[parameter] = new
    else:
        module._parameters[parameter] = nn.Parameter(new, requires_grad=False)


def exchange(model: PNASNet, one: tuple[str, str], other: tuple[str, str]) -> None:
    """Exchanges two parameters or buffers, each given by its layer and name."""
    first, second = (getattr(part(model, layer), name) for layer, name in (one, other))
    change(model, *one, lambda _: second)
    change(model, *other, lambda _: first)


def before(model: PNASNet, layer: str, function: Change) -> None:
    """Applies `function` on the way to `layer`, in no layer."""
    scope, name = _scope(model, layer)
    replace_run(scope, lambda step, x: step(function(x)), name)


def skip(model: PNASNet, layer: str, function: Change = lambda x: x) -> None:
    """Never runs `layer`, but `function` in its place."""
    scope, name = _scope(model, layer)
    replace_run(scope, lambda _step, x: function(x), name)


def repeat(model: PNASNet, layer: str) -> None:
    """Runs `layer` twice."""
    scope, name = _scope(model, layer)
    replace_run(scope, lambda step, x: step(step(x)), name)


def _scope(model: PNASNet, layer: str) -> tuple[Scope, str]:
    path, _, name = layer.rpartition(".")
    return part(model, path), name


def replace_run(scope: Scope, around: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], target: str) -> None:
    """Has `scope` run its module `target` through `around`, which gets the module and its input."""

    def run(path: tuple[str, ...], x: Tensor) -> Tensor:
        for name in path:
            module = getattr(scope, name)
            x = around(module, x) if name == target else module(x)
        return x

    scope.run = run  # type: ignore[method-assign]


# The states of a cell by index, and of a combination its two operands'.
States = list[Tensor]
Operands = Callable[[int, States], Sequence[Tensor]]


def usual(number: int, states: States) -> tuple[Tensor, Tensor]:
    """The two states that combination `number` takes."""
    left, right = PNASNET_5.combinations[number]
    return states[left.state], states[right.state]


def rewire(model: PNASNet, cell: str, operands: Operands = usual, outputs: tuple[int, ...] = PNASNET_5.outputs) -> None:
    """Runs `cell` with other states for its combinations, or other ones in its output."""
    module: Cell = part(model, cell)

    def forward(net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        states = [module.run(module.net_path, net), module._previous(prev)]
        for number in range(len(PNASNET_5.combinations)):
            left, right = operands(number, states)
            states.append(part(module, f"comb_iter_{number}")(left, right, step))
        return part(module, "cell_output.concat")(*(states[index] for index in outputs))

    module.forward = forward  # type: ignore[method-assign]


def inputs(model: PNASNet, cell: str, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Gives `cell` what `function` makes of net and prev."""
    module: Cell = part(model, cell)
    forward = module.forward
    module.forward = lambda net, prev, step=None: forward(*function(net, prev), step)  # type: ignore[method-assign]


def images(model: PNASNet, function: Change) -> None:
    """Gives the network what `function` makes of the images."""
    forward = model.forward
    model.forward = lambda images, step=None: forward(function(images), step)  # type: ignore[method-assign]
