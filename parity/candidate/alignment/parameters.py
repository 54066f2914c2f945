"""A model's parameters while it runs: which of them a tensor is made of, and what they are to an operation."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from parity.candidate.alignment.operations import BATCH_NORMS, CONVOLUTIONS

# What each argument of an operation is to it, of those that are parameters, by what PyTorch calls the operation.
ROLES = {
    "addmm": ("bias", "", "weight"),
    "mm": ("", "weight"),
    **dict.fromkeys((*CONVOLUTIONS, "linear"), ("", "weight", "bias")),
    **dict.fromkeys(BATCH_NORMS, ("", "weight", "bias", "running_mean", "running_var")),
}
# How a parameter came into a tensor: as it is (or moved), by a product, or by a root, as a variance does.
PLAIN, MULTIPLIED, ROOTED = range(3)
THROUGH = {
    **dict.fromkeys(("mul", "mul_", "div", "div_", "reciprocal"), MULTIPLIED),
    **dict.fromkeys(("sqrt", "sqrt_", "rsqrt", "rsqrt_", "pow"), ROOTED),
}
# Of what a batch norm is made, where no operation of PyTorch is one.
SUMS, PRODUCTS = ("add", "add_", "sub", "sub_"), ("mul", "mul_", "div", "div_")


class Parameters:
    """Follows a model's parameters and buffers through what is made of them, and of nothing else."""

    def __init__(self, model: nn.Module) -> None:
        # Of each tensor the names of those that it is made of, and how each came into it.
        self._made_of = WeakTensorKeyDictionary()
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self._made_of[tensor] = {name: PLAIN}
        # The names of all that any operation took.
        self.used: set[str] = set()

    def of(self, tensor: Any) -> Mapping[str, int]:
        """Return the names of the parameters that a tensor is made of, and how each came into it."""
        if not isinstance(tensor, Tensor) or tensor not in self._made_of:
            return {}
        known: Mapping[str, int] = self._made_of[tensor]
        return known

    def take(self, tensors: Sequence[Tensor]) -> None:
        """Note that an operation took these tensors."""
        for tensor in tensors:
            self.used.update(self.of(tensor))

    def make(self, name: str, tensors: Sequence[Tensor], result: Tensor) -> None:
        """Note that the operation called `name` made `result` of nothing but these tensors."""
        through = THROUGH.get(name, PLAIN)
        made_of: dict[str, int] = {}
        for tensor in tensors:
            for parameter, how in self.of(tensor).items():
                made_of[parameter] = max(how, through, made_of.get(parameter, PLAIN))
        if made_of:
            self._made_of[result] = made_of

    def of_operation(self, name: str, args: Sequence[Any]) -> dict[str, str]:
        """Return the names of the parameters that an operation takes, by what they are to it."""
        roles = {}
        # A bias may be left out at the end.
        for role, argument in zip(ROLES.get(name, ()), args, strict=False):
            names = self.of(argument)
            if role and len(names) == 1:
                roles[role] = next(iter(names))
        return roles

    def of_step(self, name: str, args: Sequence[Any], known: Mapping[str, str]) -> dict[str, str]:
        """Return the names of the parameters that one step of a batch norm takes, by what they are to it.

        A batch norm that is written out takes away a mean, multiplies, and adds, some of that at once; `known` are
        those of the steps before. Empty for what is no such step.
        """
        roles = {}
        for parameter, how in (self.of(args[0]) or self.of(args[1])).items():
            if parameter in known.values():
                continue
            if how == ROOTED:
                roles["running_var"] = parameter
            elif name in PRODUCTS:
                roles["weight"] = parameter
            elif name in SUMS:
                # A shift that has the mean in it has it times the scale.
                is_mean = name.startswith("sub") or how == MULTIPLIED
                roles["running_mean" if is_mean else "bias"] = parameter
        return roles
