"""TensorFlow variables to parameters and back, by rule; and the files that hold a port's weights.

A parameter's path is its variable's scope: `cell_0.1x1.weight` is `cell_0/1x1/weights`. Only the last part and the axes
change. Nothing is transposed until it fits: the axes follow from the variable's name and rank.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pnasnet_torch.genotype import VARIANTS, Config
from pnasnet_torch.model import PNASNet

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


class WeightsError(ValueError):
    """Weights that do not fit the network, or a file that does not hold weights."""


@dataclass(frozen=True)
class Target:
    """The parameter or buffer that a TensorFlow variable fills, and the variable's axes in its order."""

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


def variable_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of each of the model's TensorFlow variables, in TensorFlow's layout, by name."""
    state = model.state_dict()
    return {
        name: tuple(state[target.parameter].shape[axis] for axis in np.argsort(target.axes))
        for name, target in variable_targets(model).items()
    }


def load_tf_variables(model: nn.Module, variables: Mapping[str, np.ndarray]) -> None:
    """Fills each parameter and buffer of `model` from its TensorFlow variable, in the model's dtype.

    Raises WeightsError, having changed nothing, if a variable is left over, missing, of another shape or not finite.
    """
    targets = variable_targets(model)
    state = model.state_dict()
    arrays = {name: array for name, array in variables.items() if name not in BOOKKEEPING}
    _check("TensorFlow variables", variable_shapes(model), arrays)
    with torch.no_grad():
        for name, target in targets.items():
            array = torch.from_numpy(np.require(arrays[name], requirements="W"))
            state[target.parameter].copy_(array.permute(target.axes))


def tf_variables(model: nn.Module) -> dict[str, np.ndarray]:
    """The model's parameters and buffers as TensorFlow variables: the official names and layouts, the same bits."""
    state = model.state_dict()
    return {
        name: np.ascontiguousarray(state[target.parameter].cpu().numpy().transpose(np.argsort(target.axes)))
        for name, target in variable_targets(model).items()
    }


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


def variant_of(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The variant whose TensorFlow variables have these shapes, judged by the first convolution.

    Raises WeightsError where none fits.
    """
    found = shapes.get("conv0/weights")
    for name, variant in VARIANTS.items():
        if found == (3, 3, 3, int(32 * variant.config.stem_multiplier)):
            return name
    raise WeightsError(f"not the weights of PNASNet-5 {' or '.join(VARIANTS)}: conv0/weights is {found or 'missing'}")


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


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Writes the model's state by parameter name to `path`: .h5, .safetensors or .pth; whole or not at all."""
    target = Path(path)
    _, write = _format(target)
    temporary = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
    try:
        write(temporary, {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Fills `model` from a file that `save_weights` wrote. Never unpickles code.

    Raises WeightsError, having changed nothing, if the file cannot be read or does not fit exactly.
    """
    source = Path(path)
    read, _ = _format(source)
    if not source.is_file():
        raise WeightsError(f"{source}: there is no such file")
    try:
        loaded = read(source)
        arrays = {name: tensor.detach().numpy() for name, tensor in loaded.items()}
    except Exception as error:  # each format's library raises its own kinds
        raise WeightsError(f"{source} is not a sound {source.suffix} file of weights by name: {error}") from error
    state = model.state_dict()
    _check(f"weights in {source}", {name: tuple(tensor.shape) for name, tensor in state.items()}, arrays)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(loaded[name])


State = dict[str, Tensor]


def _read_h5(path: Path) -> State:
    import h5py

    with h5py.File(path) as file:
        return {name: torch.from_numpy(dataset[()]) for name, dataset in file.items()}


def _write_h5(path: Path, state: State) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, tensor in state.items():
            file.create_dataset(name, data=tensor.numpy())


def _read_safetensors(path: Path) -> State:
    from safetensors.torch import load_file

    return load_file(path)


def _write_safetensors(path: Path, state: State) -> None:
    from safetensors.torch import save

    # Not save_file, which makes files that their owner alone can read.
    path.write_bytes(save(state))


def _read_pth(path: Path) -> State:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(state)


FORMATS: dict[str, tuple[Callable[[Path], State], Callable[[Path, State], None]]] = {
    ".h5": (_read_h5, _write_h5),
    ".safetensors": (_read_safetensors, _write_safetensors),
    ".pth": (_read_pth, lambda path, state: torch.save(state, path)),
}


def _format(path: Path) -> tuple[Callable[[Path], State], Callable[[Path, State], None]]:
    if path.suffix not in FORMATS:
        raise WeightsError(f"{path}: unknown format {path.suffix!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
