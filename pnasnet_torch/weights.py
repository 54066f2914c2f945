"""The port's weights: whether what is stored fits the network, and the way from it to the model and back."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import nn

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import VARIANTS, Config
from pnasnet_torch.model import PNASNet
from pnasnet_torch.naming import BATCHES, scheme
from pnasnet_torch.targets import FIRST, OURS, TF, shapes_of, stored_name, stored_shapes, targets

# What counts steps, and what optimisers keep beside a value for each weight: no part of the network, in any scope.
BOOKKEEPING = frozenset(
    {BATCHES, "global_step", "n_averaged", "save_counter", "beta1_power", "beta2_power", "learning_rate", "loss_scale"}
)
# How many problems of a kind a message lists of those that it counts.
EXAMPLES = 10


def restore(model: nn.Module, names: str, stored: Mapping[str, np.ndarray], what: str) -> dict[str, np.ndarray]:
    """Return tensors stored under `names` as views, by the parameter of `model` that each fills; without counts.

    Raise WeightsError, calling the tensors `what`, if one is left over, missing, of another shape or not finite.
    """
    arrays = {name: array for name, array in stored.items() if not is_count(name)}
    stored_targets = targets(model, names)
    _check(what, shapes_of(model, stored_targets), arrays)
    views = {}
    for name, target in stored_targets.items():
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


def fill(model: nn.Module, state: Mapping[str, np.ndarray]) -> None:
    """Give each parameter and buffer of `model` its values from `state`, in the model's dtype."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            # PyTorch warns of an array that cannot be written to, such as a view of a file that was read.
            tensor.copy_(torch.from_numpy(np.require(state[name], requirements="W")))


def state_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Return the model's parameters and buffers as arrays, by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


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


@cache
def outline(config: Config) -> PNASNet:
    """Return a network without values, in evaluation mode: names and shapes alone."""
    with torch.device("meta"):
        return PNASNet(config).eval()


def empty_network(config: Config, dtype: torch.dtype = torch.float32) -> PNASNet:
    """Return a network in evaluation mode whose weights are still to be loaded."""
    # On the meta device no random weights are made first.
    with torch.device("meta"):
        model = PNASNet(config)
    # Not `to_empty`: what PyTorch imports for it takes more than a second.
    state = {name: torch.empty(tensor.shape, dtype=dtype) for name, tensor in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def from_tf_variables(
    config: Config, variables: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32
) -> PNASNet:
    """Return a network in evaluation mode with these weights. Raise as `load_tf_variables` does."""
    model = empty_network(config, dtype)
    load_tf_variables(model, variables)
    return model
