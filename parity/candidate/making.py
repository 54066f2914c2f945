"""Models of another implementation, made as its adapter says, and refused where they cannot be judged."""

import importlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import nn
from torch.fx import GraphModule
from torch.nn.parameter import is_lazy

from parity.candidate.adapter import Adapter
from parity.candidate.importing import find_object, importable, others_code
from parity.core.errors import InputError
from parity.core.pinning import Pins

# What hides a model's modules from hooks, by its class's name.
HIDING = {"ScriptModule": "torch.jit"}
# Where the model lies within what torch.compile made of it, or what deals it to devices, by the class's name.
WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


class Maker:
    """What makes the models of an implementation by its adapter, from the folder `root` where it is a checkout; or what
    a `function` of the user's gives.

    The `pins` are held while its code runs. Each model has its weights for itself, though the implementation `repeats`
    what it gave before.
    """

    def __init__(
        self, adapter: Adapter, pins: Pins, root: Path | None = None, function: Callable[[], object] | None = None
    ) -> None:
        self.repeats = False
        self._adapter = adapter
        self._pins = pins
        self._root = root
        self._function = function
        # The parameters of all models that were given and are still there, by id.
        self._given: WeakValueDictionary[int, nn.Parameter] = WeakValueDictionary()

    def make(self, dtype: str) -> nn.Module:
        """Return a model in evaluation mode and in `dtype`, on the CPU, with whatever weights it has.

        Raises InputError where it cannot be had, and for what is no model whose layers can be observed.
        """
        what = f"{self._adapter.make}()"
        # All within the checkout's modules, as a function may import some more of them when it is called.
        with importable(self._root), others_code(what, self._pins):
            model = _unwrapped(self._function() if self._function else self._call())
            _check(model, what)
            if not hasattr(model, self._adapter.method):
                raise InputError(f"{what} gives a {type(model).__name__} without the method {self._adapter.method}")
            for name, value in self._adapter.attributes:
                setattr(model, name, value)
            own = self._own(model).to("cpu", getattr(torch, dtype))
            # What torch.export made refuses it, and stays in the mode that it was made in.
            return own if _is_exported(own) else own.eval()

    def _call(self) -> nn.Module:
        """Return what the implementation's function gives."""
        function = find_object(self._adapter.make)
        if isinstance(function, nn.Module) or not callable(function):
            kind = type(function).__name__
            raise InputError(
                f"{self._adapter.make} is a {kind}: expected a function without arguments that gives a model"
            )
        arguments = dict(self._adapter.arguments)
        for name, spec in self._adapter.objects:
            arguments[name] = find_object(spec)
        if self._adapter.globals:
            home = importlib.import_module(self._adapter.make.partition(":")[0])
            for name, spec in self._adapter.globals:
                setattr(home, name, find_object(spec))
        model: nn.Module = function(**arguments)
        return model

    def _own(self, model: nn.Module) -> nn.Module:
        """Return the model, or a copy of it where it has a parameter of one that was given before."""
        # Otherwise float32 would be judged with what was loaded, and rounded, for float64.
        if any(id(parameter) in self._given for parameter in model.parameters()):
            self.repeats = True
            model = deepcopy(model)
        for parameter in model.parameters():
            self._given[id(parameter)] = parameter
        return model


def _unwrapped(model: Any) -> Any:
    """Return the model itself, of what torch.compile made of it or of its modules, or of what deals it to devices."""
    while attribute := WRAPPERS.get(type(model).__name__):
        model = getattr(model, attribute)
    if isinstance(model, nn.Module):
        for module in list(model.modules()):
            # What `module.compile()` leaves.
            module._compiled_call_impl = None
            for name, child in module.named_children():
                if type(child).__name__ in WRAPPERS:
                    setattr(module, name, _unwrapped(child))
    return model


def _is_exported(model: nn.Module) -> bool:
    """Return whether torch.export made a model: its graph has an `eval` of its own, which raises."""
    return isinstance(model, GraphModule) and "eval" in vars(model)


def _check(model: object, what: str) -> None:
    """Raise InputError unless `what` gave a model whose layers can be observed, and that can be filled."""
    if not isinstance(model, nn.Module):
        raise InputError(f"{what} gives {type(model).__name__}: expected a torch.nn.Module")
    for kind in type(model).__mro__:
        if kind.__name__ in HIDING:
            maker = HIDING[kind.__name__]
            raise InputError(
                f"{what} gives what {maker} made of a model, which hides its layers: give the model itself"
            )
    parameters = list(model.parameters())
    if not parameters:
        raise InputError(f"{what} gives a {type(model).__name__} without parameters: expected a network")
    if any(map(is_lazy, parameters)):
        raise InputError(
            f"{what} gives a model with lazy layers, which have no shapes yet: run it once on images first"
        )
    if any(parameter.is_meta for parameter in parameters):
        raise InputError(f"{what} gives a model on the device meta, which holds no values: make it on the CPU")
