"""Which parameter or buffer of the port each stored tensor fills: TensorFlow's variables by rule, others' by scheme.

A parameter's path is its variable's scope: `cell_0.1x1.weight` is `cell_0/1x1/weights`. Only the last part and the axes
change. Nothing is transposed until it fits: the axes follow from the variable's name and rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.naming import OURS as OWN_NAMES
from pnasnet_torch.naming import scheme

# For each kind of module: its parameter, the TensorFlow variable, and the variable's axes in the parameter's order
# (HWIO to OIHW, HWC1 to C1HW, IO to OI).
Rules = dict[str, tuple[str, tuple[int, ...]]]
BATCH_NORM: Rules = {
    "weight": ("gamma", (0,)),
    "bias": ("beta", (0,)),
    "running_mean": ("moving_mean", (0,)),
    "running_var": ("moving_variance", (0,)),
}
CONV: Rules = {"weight": ("weights", (3, 2, 0, 1))}
DEPTHWISE: Rules = {"weight": ("depthwise_weights", (2, 3, 0, 1))}
POINTWISE: Rules = {"weight": ("pointwise_weights", (3, 2, 0, 1))}
DENSE: Rules = {"weight": ("weights", (1, 0)), "bias": ("biases", (0,))}
# The port's own names, and TensorFlow's, which come with its layouts.
OURS, TF = OWN_NAMES.name, "tf"
# The parameters that tell the variants apart, and the number of classes.
FIRST, CLASSES = "conv0.weight", "final_layer.FC.weight"


@dataclass(frozen=True)
class Target:
    """The parameter or buffer that a stored tensor fills, and the tensor's axes in the parameter's order."""

    parameter: str
    axes: tuple[int, ...]


def variable_targets(model: nn.Module) -> dict[str, Target]:
    """Return every parameter and buffer of `model`, by the name of its TensorFlow variable.

    Raise WeightsError for a module of a kind that no rule speaks of.
    """
    targets = {}
    for path, module in model.named_modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        if not tensors:
            continue
        scope, rules = _rules(path, module)
        for name, _ in tensors:
            variable, axes = rules[name]
            targets[f"{scope.replace('.', '/')}/{variable}"] = Target(f"{path}.{name}", axes)
    return targets


def _rules(path: str, module: nn.Module) -> tuple[str, Rules]:
    """Return the module's variable scope, and the rules for its kind."""
    scope, _, last = path.rpartition(".")
    # slim's separable convolution is one operation in one scope: both of its halves are told by the variable's name.
    if last == "depthwise":
        return scope, DEPTHWISE
    if last == "pointwise":
        return scope, POINTWISE
    for kind, rules in ((nn.BatchNorm2d, BATCH_NORM), (nn.Conv2d, CONV), (nn.Linear, DENSE)):
        if isinstance(module, kind):
            return path, rules
    raise WeightsError(f"no rule gives the parameters of {path} ({type(module).__name__}) TensorFlow variables")


def targets(model: nn.Module, names: str) -> dict[str, Target]:
    """Return every parameter and buffer of `model`, by its name in `names`.

    `names` are `ours`, `tf` (with TensorFlow's layouts), or a scheme. Raise NamingError for an unknown scheme, or one
    that has no place for some of them.
    """
    if names == TF:
        return variable_targets(model)
    # All others are PyTorch's, and have the port's layouts: the axes stay in their order.
    own_targets = {}
    for name, tensor in model.state_dict().items():
        same_axes = tuple(range(tensor.ndim))
        own_targets[name] = Target(name, same_axes)
    if names == OURS:
        return own_targets
    return scheme(names).rename(own_targets)


def stored_shapes(model: nn.Module, names: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the model's tensors as it is stored under `names`."""
    return shapes_of(model, targets(model, names))


def shapes_of(model: nn.Module, stored_targets: Mapping[str, Target]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the model's tensors as it is stored under the names of these targets."""
    state = model.state_dict()
    shapes = {}
    for name, target in stored_targets.items():
        shape = state[target.parameter].shape
        # `axes` lead from the stored tensor to the parameter; sorting by them gives the way back.
        shapes[name] = tuple(shape[axis] for axis in np.argsort(target.axes))
    return shapes


def variable_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the model's TensorFlow variables, in TensorFlow's layout, by name."""
    return stored_shapes(model, TF)


def stored_name(model: nn.Module, names: str, parameter: str) -> str:
    """Return the name of a parameter of `model` under `names`."""
    stored_names = {target.parameter: name for name, target in targets(model, names).items()}
    return stored_names[parameter]
