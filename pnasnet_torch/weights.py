"""Weights by the port's parameters, under whatever names they come: TensorFlow's variables by rule, others' by scheme.

A parameter's path is its variable's scope: `cell_0.1x1.weight` is `cell_0/1x1/weights`. Only the last part and the axes
change. Nothing is transposed until it fits: the axes follow from the variable's name and rank.
"""

from collections import defaultdict
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
# What counts steps, and what optimisers keep beside a value for each weight: no part of the network, in any scope.
BOOKKEEPING = frozenset(
    {BATCHES, "global_step", "n_averaged", "save_counter", "beta1_power", "beta2_power", "learning_rate", "loss_scale"}
)
# How many problems of a kind a message lists of those that it counts.
EXAMPLES = 10
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
    state = model.state_dict()
    shapes = {}
    for name, target in targets(model, names).items():
        shape = state[target.parameter].shape
        # `axes` lead from the stored tensor to the parameter; sorting by them gives the way back.
        shapes[name] = tuple(shape[axis] for axis in np.argsort(target.axes))
    return shapes


def restore(model: nn.Module, names: str, stored: Mapping[str, np.ndarray], what: str) -> dict[str, np.ndarray]:
    """Return tensors stored under `names` as views, by the parameter of `model` that each fills; without counts.

    Raise WeightsError, calling the tensors `what`, if one is left over, missing, of another shape or not finite.
    """
    arrays = {name: array for name, array in stored.items() if not is_count(name)}
    _check(what, stored_shapes(model, names), arrays)
    views = {}
    for name, target in targets(model, names).items():
        views[target.parameter] = arrays[name].transpose(target.axes)
    return views


def store(model: nn.Module, names: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the port's `state`, by parameter of `model`, as it is stored under `names`: the inverse of `restore`.

    Where other implementations expect a count for each batch norm, it is there, and zero.
    """
    arrays = {}
    for name, target in targets(model, names).items():
        stored = state[target.parameter].transpose(np.argsort(target.axes))
        # A file holds the values in the order of its own axes; those of a transposed view lie in another order.
        arrays[name] = np.ascontiguousarray(stored)
    if names not in (OURS, TF):
        norms = [name.rpartition(".")[0] for name in arrays if name.endswith(".running_mean")]
        for norm in norms:
            arrays[f"{norm}.{BATCHES}"] = np.zeros((), np.int64)
    return arrays


def is_count(name: str) -> bool:
    """Return whether a stored tensor is a count or a rate of the training, and no part of the network."""
    return name.replace("/", ".").rpartition(".")[2] in BOOKKEEPING


def is_of_head(name: str) -> bool:
    """Return whether a parameter or a variable is one of the auxiliary head's, which training alone uses."""
    return name.startswith("aux_")


def fill(model: nn.Module, state: Mapping[str, np.ndarray]) -> None:
    """Give each parameter and buffer of `model` its values from `state`, in the model's dtype."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            # PyTorch warns of an array that cannot be written to, such as a view of a file that was read.
            tensor.copy_(torch.from_numpy(np.require(state[name], requirements="W")))


def state_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Return the model's parameters and buffers as arrays, by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


def variable_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the model's TensorFlow variables, in TensorFlow's layout, by name."""
    return stored_shapes(model, TF)


def load_tf_variables(model: nn.Module, variables: Mapping[str, np.ndarray]) -> None:
    """Fill each parameter and buffer of `model` from its TensorFlow variable, in the model's dtype.

    Raise WeightsError, having changed nothing, if a variable is left over, missing, of another shape or not finite.
    """
    fill(model, restore(model, TF, variables, "TensorFlow variables"))


def tf_variables(model: nn.Module) -> dict[str, np.ndarray]:
    """Return the model's parameters and buffers as TensorFlow variables: official names and layouts, the same bits."""
    return store(model, TF, state_of(model))


def _check(what: str, shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise one WeightsError that lists the `arrays` that do not fit the `shapes`; of many alike some, and how many."""
    problems: dict[str, list[str]] = defaultdict(list)
    problems["missing"] = [f"{name} {shape}" for name, shape in shapes.items() if name not in arrays]
    for name, array in arrays.items():
        if name not in shapes:
            problems["left over"].append(f"{name} {array.shape}")
        elif array.shape != shapes[name]:
            problems["wrong shape"].append(f"{name}: expected {shapes[name]}, found {array.shape}")
        elif not np.issubdtype(array.dtype, np.floating):
            problems["wrong type"].append(f"{name}: expected floating point, found {array.dtype}")
        elif not np.isfinite(array).all():
            index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            problems["not finite"].append(f"{name}: {array[index]} at {index}")
    count = sum(map(len, problems.values()))
    if not count:
        return
    lines = [f"the {what} do not fit the network ({count:,} problems):"]
    for kind, places in sorted(problems.items()):
        lines += [f"{kind}: {place}" for place in sorted(places)[:EXAMPLES]]
        if len(places) > EXAMPLES:
            lines.append(f"{kind}: {len(places) - EXAMPLES:,} more")
    raise WeightsError("\n  ".join(lines))


def variant_of(shapes: Mapping[str, tuple[int, ...]], names: str = TF) -> str:
    """Return the variant whose tensors, stored under `names`, have these shapes.

    It is told by the first convolution. Raise WeightsError where no variant fits.
    """
    first = ""
    for variant in variants_of(names):
        model = outline(VARIANTS[variant].config)
        first = stored_name(model, names, FIRST)
        if shapes.get(first) == stored_shapes(model, names)[first]:
            return variant
    shape = shapes.get(first, "missing")
    raise WeightsError(f"not the weights of PNASNet-5 {' or '.join(variants_of(names))}: {first} is {shape}")


def variants_of(names: str) -> tuple[str, ...]:
    """Return the variants that have these names."""
    if names in (OURS, TF):
        return tuple(VARIANTS)
    return scheme(names).variants


def stored_name(model: nn.Module, names: str, parameter: str) -> str:
    """Return the name of a parameter of `model` under `names`."""
    stored_names = {target.parameter: name for name, target in targets(model, names).items()}
    return stored_names[parameter]


@cache
def outline(config: Config) -> PNASNet:
    """Return a network without values, in evaluation mode: names and shapes alone."""
    with torch.device("meta"):
        return PNASNet(config).eval()


def empty_network(config: Config, dtype: torch.dtype = torch.float32) -> PNASNet:
    """Return a network in evaluation mode whose weights are still to be loaded."""
    # On the meta device no random weights are made first.
    with torch.device("meta"):
        model = PNASNet(config).to(dtype)
    return model.to_empty(device="cpu").eval()


def from_tf_variables(
    config: Config, variables: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32
) -> PNASNet:
    """Return a network in evaluation mode with these weights. Raise as `load_tf_variables` does."""
    model = empty_network(config, dtype)
    load_tf_variables(model, variables)
    return model
