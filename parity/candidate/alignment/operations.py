"""The operations of a forward: which there are, and what each is known by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
CONVOLUTIONS = ("convolution", "mkldnn_convolution")
ACTIVATIONS = (
    "relu",
    "hardtanh",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "sigmoid",
    "tanh",
    "softplus",
)
# What PyTorch calls operations of one kind: of those that can be exchanged for each other, which would be a fault.
KINDS = {
    **dict.fromkeys(CONVOLUTIONS, "conv"),
    **dict.fromkeys(BATCH_NORMS, "batch_norm"),
    **dict.fromkeys((*ACTIVATIONS, *(f"{name}_" for name in ACTIVATIONS)), "activation"),
    **dict.fromkeys(("clamp_min", "clamp_min_", "clamp", "clamp_", "threshold", "threshold_"), "activation"),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool2d", "avg_pool2d"), "pool"),
    **dict.fromkeys(("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "maximum", "minimum"), "add"),
    "cat": "concat",
    "stack": "stack",
    **dict.fromkeys(("mean", "amax", "_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"), "mean"),
    **dict.fromkeys(("addmm", "linear", "mm"), "linear"),
    "_softmax": "softmax",
}
# Those whose inputs may come in any order.
UNORDERED = ("add", "concat")


@dataclass(eq=False)
class Operation:
    """An operation of a forward: its `kind`, what tells it from others of that kind, and the operations that feed it.

    `shape` is its output's, and `parameters` are the names of the model's that it takes, by what they are to it
    (`weight`, `running_mean`). `givers` are the modules whose output it is, or a part of it, the innermost first. Its
    `site` is the module in whose forward it runs, and its number there among those of its kind: `cells.3:add.0`.
    `changes` are the sites and shapes of its output padded or cut, and it is `cut` where only a part of it is read. It
    is written out in steps where it is none of PyTorch's operations, and `is_step` where a later one goes on from it.
    """

    kind: str
    attributes: tuple[Any, ...]
    # Not shown: what leads to an operation by many ways would be written as many times.
    inputs: tuple["Operation", ...] = field(repr=False)
    shape: tuple[int, ...] = ()
    site: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    givers: list["Giver"] = field(default_factory=list, repr=False)
    changes: list[tuple[str, tuple[int, ...]]] = field(default_factory=list, repr=False)
    cut: bool = False
    is_written_out: bool = False
    is_step: bool = False


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
    """Where a tensor comes from: an operation, and whether that output was padded or cut, or shifted by a pixel.

    It is `halved` where every second row of a map is taken, or every second column, but not yet both, and `scaled` by
    what is none of the network's.
    """

    operation: Operation
    changed: bool = False
    shifted: bool = False
    halved: bool = False
    scaled: bool = False


def tensors_in(arguments: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, those in lists too."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from tensors_in(argument)


def attributes(kind: str, args: Any) -> tuple[Any, ...]:
    """Return what tells an operation from others of its kind: not its padding, nor an epsilon, which may be wrong."""
    if kind == "conv":
        weight = args[1]
        stride, groups = args[3], args[8]
        return (tuple(weight.shape), tuple(stride), groups > 1)
    if kind == "pool":
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        return tuple(args[1]), tuple(stride)
    return ()
