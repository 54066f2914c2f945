"""Weights by the port's parameters, under whatever names they come: TensorFlow's variables by rule, others' by scheme.

A parameter's path is its variable's scope: `cell_0.1x1.weight` is `cell_0/1x1/weights`. Only the last part and the axes
change. Nothing is transposed until it fits: the axes follow from the variable's name and rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import VARIANTS, Config
from pnasnet_torch.model import PNASNet
from pnasnet_torch.naming import BATCHES, scheme
from pnasnet_torch.naming import OURS as OWN_NAMES

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
# What a TensorFlow checkpoint may hold that is no part of the network.
BOOKKEEPING = frozenset({"global_step"})
# The port's own names, and TensorFlow's, which come with its layouts.
OURS, TF = OWN_NAMES.name, "tf"
# The parameters that tell the variants apart, and the number of classes.
FIRST, CLASSES = "conv0.weight", "final_layer.FC.weight"


@dataclass(frozen=True)
class Target:
    """The parameter or buffer that a stored tensor fills, and the tensor's axes in its order."""

    parameter: str
    axes: tuple[int, ...]


def variable_targets(model: nn.Module) -> dict[str, Target]:
    """Every parameter and buffer of `model`, by the name of its TensorFlow variable."""
    targets = {}
    for path, module in model.named_modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        scope, rules = _rules(path, module) if tensors else ("", {})
        for name, _ in tensors:
            variable, axes = rules[name]
            targets[f"{scope.replace('.', '/')}/{variable}"] = Target(f"{path}.{name}", axes)
    return targets


def _rules(path: str, module: nn.Module) -> tuple[str, Rules]:
    """The module's variable scope, and the rules for its kind."""
    scope, _, last = path.rpartition(".")
    if last in {"depthwise", "pointwise"}:
        return scope, DEPTHWISE if last == "depthwise" else POINTWISE
    for kind, rules in ((nn.BatchNorm2d, BATCH_NORM), (nn.Conv2d, CONV), (nn.Linear, DENSE)):
        if isinstance(module, kind):
            return path, rules
    raise WeightsError(f"no rule gives the parameters of {path} ({type(module).__name__}) TensorFlow variables")


def targets(model: nn.Module, names: str) -> dict[str, Target]:
    """Every parameter and buffer of `model`, by its name in `names`: `ours`, `tf` (with TensorFlow's layouts), or a
    scheme. Raises NamingError for an unknown scheme, or one that has no place for some."""
    if names == TF:
        return variable_targets(model)
    state = {name: Target(name, tuple(range(tensor.ndim))) for name, tensor in model.state_dict().items()}
    return state if names == OURS else scheme(names).rename(state)


def stored_shapes(model: nn.Module, names: str) -> dict[str, tuple[int, ...]]:
    """The shape of each of the model's tensors as it is stored under `names`."""
    state = model.state_dict()
    return {
        name: tuple(state[target.parameter].shape[axis] for axis in np.argsort(target.axes))
        for name, target in targets(model, names).items()
    }


def restore(model: nn.Module, names: str, stored: Mapping[str, np.ndarray], what: str) -> dict[str, np.ndarray]:
    """Tensors stored under `names` as views by the parameter of `model` that each fills; counts are left aside.

    Raises WeightsError, calling them `what`, if one is left over, missing, of another shape or not finite.
    """
    arrays = {name: array for name, array in stored.items() if not is_count(name)}
    _check(what, stored_shapes(model, names), arrays)
    return {target.parameter: arrays[name].transpose(target.axes) for name, target in targets(model, names).items()}


def store(model: nn.Module, names: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of `restore`, with a count of zero for each batch norm where other implementations expect one."""
    found = {
        name: np.ascontiguousarray(state[target.parameter].transpose(np.argsort(target.axes)))
        for name, target in targets(model, names).items()
    }
    if names not in (OURS, TF):
        norms = [name.rpartition(".")[0] for name in found if name.endswith(".running_mean")]
        found |= {f"{norm}.{BATCHES}": np.zeros((), np.int64) for norm in norms}
    return found


def is_count(name: str) -> bool:
    """Whether a stored tensor only counts steps, and is no part of the network."""
    return name in BOOKKEEPING or name.rpartition(".")[2] == BATCHES


def fill(model: nn.Module, state: Mapping[str, np.ndarray]) -> None:
    """Gives each parameter and buffer of `model` its values, in the model's dtype."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(torch.from_numpy(np.require(state[name], requirements="W")))


def state_of(model: nn.Module) -> dict[str, np.ndarray]:
    """The model's parameters and buffers as arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


def variable_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of each of the model's TensorFlow variables, in TensorFlow's layout, by name."""
    return stored_shapes(model, TF)


def load_tf_variables(model: nn.Module, variables: Mapping[str, np.ndarray]) -> None:
    """Fills each parameter and buffer of `model` from its TensorFlow variable, in the model's dtype.

    Raises WeightsError, having changed nothing, if a variable is left over, missing, of another shape or not finite.
    """
    fill(model, restore(model, TF, variables, "TensorFlow variables"))


def tf_variables(model: nn.Module) -> dict[str, np.ndarray]:
    """The model's parameters and buffers as TensorFlow variables: the official names and layouts, the same bits."""
    return store(model, TF, state_of(model))


def _check(what: str, shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> None:
    """Raises one WeightsError that lists all that does not fit."""
    problems = [f"missing: {name} {shape}" for name, shape in shapes.items() if name not in arrays]
    problems += [f"left over: {name} {array.shape}" for name, array in arrays.items() if name not in shapes]
    for name in shapes.keys() & arrays.keys():
        array = arrays[name]
        if array.shape != shapes[name]:
            problems.append(f"wrong shape: {name}: expected {shapes[name]}, found {array.shape}")
        elif not np.issubdtype(array.dtype, np.floating):
            problems.append(f"wrong type: {name}: expected floating point, found {array.dtype}")
        elif not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            problems.append(f"not finite: {name}: {array[index]} at {index}")
    if problems:
        raise WeightsError(
            f"the {what} do not fit the network ({len(problems)} problems):\n  " + "\n  ".join(sorted(problems))
        )


def variant_of(shapes: Mapping[str, tuple[int, ...]], names: str = TF) -> str:
    """The variant whose tensors, stored under `names`, have these shapes, judged by the first convolution.

    Raises WeightsError where none fits.
    """
    first = ""
    for variant in variants_of(names):
        model = outline(VARIANTS[variant].config)
        first = stored_name(model, names, FIRST)
        if shapes.get(first) == stored_shapes(model, names)[first]:
            return variant
    found = shapes.get(first, "missing")
    raise WeightsError(f"not the weights of PNASNet-5 {' or '.join(variants_of(names))}: {first} is {found}")


def variants_of(names: str) -> tuple[str, ...]:
    """The variants that have these names."""
    return tuple(VARIANTS) if names in (OURS, TF) else scheme(names).variants


def stored_name(model: nn.Module, names: str, parameter: str) -> str:
    """What a parameter of `model` is called under `names`."""
    return next(name for name, target in targets(model, names).items() if target.parameter == parameter)


@cache
def outline(config: Config) -> PNASNet:
    """A network without values: names and shapes alone."""
    with torch.device("meta"):
        return PNASNet(config).eval()


def empty_network(config: Config, dtype: torch.dtype = torch.float32) -> PNASNet:
    """A network in evaluation mode whose weights are still to be loaded, made without first making random ones."""
    with torch.device("meta"):
        model = PNASNet(config).to(dtype)
    return model.to_empty(device="cpu").eval()


def from_tf_variables(
    config: Config, variables: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32
) -> PNASNet:
    """A network in evaluation mode with these weights; raises as `load_tf_variables`."""
    model = empty_network(config, dtype)
    load_tf_variables(model, variables)
    return model
