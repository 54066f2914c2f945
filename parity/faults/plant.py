"""Ways to plant something in a model, and the same as plants for the catalogue.

What is changed is a copy that shares the weights of the sound model, which stays as it is. Tensors are (N, C, H, W).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pnasnet_torch import PNASNet
from pnasnet_torch.cell import Cell, Scope
from pnasnet_torch.genotype import PNASNET_5

Change = Callable[[Tensor], Tensor]
# Changes a model at a site: at the layer, or in the cell, of this name.
Plant = Callable[[PNASNet, str], None]
# The states of a cell by index, and of a combination its two operands'.
States = list[Tensor]
Operands = Callable[[int, States], Sequence[Tensor]]

Module = TypeVar("Module", bound=nn.Module)


def copied(model: Module) -> Module:
    """Return a copy of a model, of its own modules, parameters and buffers.

    The parameters share the memory of the model's: they are to be replaced, and never written to. That makes it much
    faster than copy.deepcopy.
    """
    copy = model.__class__.__new__(model.__class__)
    for name, value in vars(model).items():
        # Hooks, too, are in dictionaries: in a shared one, a hook of the copy would be one of the sound model.
        copy.__dict__[name] = value.copy() if isinstance(value, dict) else value
    copy._modules = {}
    for name, module in model._modules.items():
        if module is not None:
            copy._modules[name] = copied(module)
    copy._parameters = {}
    for name, parameter in model._parameters.items():
        shared = None if parameter is None else nn.Parameter(parameter.data, requires_grad=False)
        copy._parameters[name] = shared
    copy._buffers = {}
    for name, buffer in model._buffers.items():
        # Cloned, since a batch norm that is put in training mode writes its moving statistics in place.
        copy._buffers[name] = None if buffer is None else buffer.clone()
    return copy


def part(model: nn.Module, path: str) -> Any:
    """Return the module at `path`, of whatever kind it is there."""
    return model.get_submodule(path)


def replace(model: PNASNet, layer: str, function: Callable[..., Tensor]) -> None:
    """Make `layer` compute `function`."""
    # The module itself stays, with its hooks: the layer is still reported, with what it computes now.
    part(model, layer).forward = function


def after(model: PNASNet, layer: str, function: Change) -> None:
    """Make `layer` give what `function` makes of its output."""
    forward = part(model, layer).forward
    replace(model, layer, lambda *inputs: function(forward(*inputs)))


def change(model: PNASNet, layer: str, parameter: str, function: Change) -> None:
    """Give a parameter or buffer of `layer` the values that `function` makes of its own."""
    module = part(model, layer)
    with torch.no_grad():
        new = function(getattr(module, parameter)).contiguous()
    # Not written in place: the memory is that of the sound model.
    if parameter in module._buffers:
        module._buffers[parameter] = new
    else:
        module._parameters[parameter] = nn.Parameter(new, requires_grad=False)


def exchange(model: PNASNet, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Exchange two parameters or buffers, each given by its layer and name."""
    first_values = getattr(part(model, first[0]), first[1])
    second_values = getattr(part(model, second[0]), second[1])
    change(model, *first, lambda _: second_values)
    change(model, *second, lambda _: first_values)


def before(model: PNASNet, layer: str, function: Change) -> None:
    """Apply `function` on the way to `layer`, in no layer."""
    # In the scope, not in the layer: replayed alone, the layer is right, so that this is a fault of wiring.
    scope, name = _scope(model, layer)
    replace_run(scope, lambda step, x: step(function(x)), name)


def skip(model: PNASNet, layer: str, function: Change = lambda x: x) -> None:
    """Never run `layer`, but `function` in its place."""
    scope, name = _scope(model, layer)
    replace_run(scope, lambda _step, x: function(x), name)


def repeat(model: PNASNet, layer: str) -> None:
    """Run `layer` twice, the second time on its own output."""
    scope, name = _scope(model, layer)
    replace_run(scope, lambda step, x: step(step(x)), name)


def _scope(model: PNASNet, layer: str) -> tuple[Scope, str]:
    """Return the scope that runs `layer`, and the layer's name in it."""
    path, _, name = layer.rpartition(".")
    return part(model, path), name


def replace_run(scope: Scope, around: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], target: str) -> None:
    """Make `scope` run its module `target` through `around`, which gets the module and its input."""

    def run(path: tuple[str, ...], x: Tensor) -> Tensor:
        """Return what the modules of `path` make of x, one after the other."""
        for name in path:
            module = getattr(scope, name)
            x = around(module, x) if name == target else module(x)
        return x

    scope.run = run  # type: ignore[method-assign]


def usual(number: int, states: States) -> tuple[Tensor, Tensor]:
    """Return the two states that combination `number` takes."""
    left, right = PNASNET_5.combinations[number]
    return states[left.state], states[right.state]


def rewire(model: PNASNet, cell: str, operands: Operands = usual, outputs: tuple[int, ...] = PNASNET_5.outputs) -> None:
    """Run `cell` with other states for its combinations, or other ones in its output."""
    module: Cell = part(model, cell)

    def forward(net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        """Return the cell's output, as Cell.forward does but for the states that are chosen."""
        states = [module.run(module.net_path, net), module._previous(prev)]
        for number in range(len(PNASNET_5.combinations)):
            left, right = operands(number, states)
            combination = part(module, f"comb_iter_{number}")
            states.append(combination(left, right, step))
        parts = [states[index] for index in outputs]
        return part(module, "cell_output.concat")(*parts)

    module.forward = forward  # type: ignore[method-assign]


def inputs(model: PNASNet, cell: str, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Give `cell` what `function` makes of net and prev."""
    module: Cell = part(model, cell)
    forward = module.forward
    module.forward = lambda net, prev, step=None: forward(*function(net, prev), step)  # type: ignore[method-assign]


def images(model: PNASNet, function: Change) -> None:
    """Give the network what `function` makes of the images."""
    forward = model.forward
    model.forward = lambda images, step=None: forward(function(images), step)  # type: ignore[method-assign]


def replaced_by(function: Callable[..., Tensor]) -> Plant:
    """Return a plant that makes the layer at a site compute `function`."""
    return lambda model, site: replace(model, site, function)


def followed_by(function: Change) -> Plant:
    """Return a plant that makes the layer at a site give what `function` makes of its output."""
    return lambda model, site: after(model, site, function)


def preceded_by(function: Change) -> Plant:
    """Return a plant that applies `function` on the way to the layer at a site, in no layer."""
    return lambda model, site: before(model, site, function)


def changed(parameter: str, function: Change) -> Plant:
    """Return a plant that gives a parameter or buffer of the layer at a site what `function` makes of it."""
    return lambda model, site: change(model, site, parameter, function)


def with_images(function: Change) -> Plant:
    """Return a plant that gives the network what `function` makes of the images, whatever the site."""
    return lambda model, _site: images(model, function)
