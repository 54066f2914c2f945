"""The PNASNet-5 cell: modules named after the official scopes, and one forward that executes the genotype."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from pnasnet_torch.genotype import PNASNET_5, CellPlan, Config, Operand
from pnasnet_torch.operations import (
    Add,
    BatchNorm,
    Clip,
    Concat,
    DropPath,
    SameConv2d,
    SameMaxPool2d,
    SeparableConv2d,
    Subsample,
)


class Scope(nn.Module):
    """Modules in the order of execution, added under the names that TensorFlow gives in one variable scope."""

    def add(self, name: str, module: nn.Module) -> None:
        """Adds `module` as `name`, or `name_1` and so on where `name` is taken."""
        same = [child for child in self._modules if re.fullmatch(rf"{re.escape(name)}(_\d+)?", child)]
        self.add_module(f"{name}_{len(same)}" if same else name, module)

    def add_activation(self, bounded: bool) -> None:
        self.add("relu6" if bounded else "relu", activation(bounded))

    def add_conv(self, conv: str, bn: str, module: SameConv2d | SeparableConv2d, filters: int) -> None:
        self.add_module(conv, module)
        self.add_module(bn, BatchNorm(filters))

    def run(self, path: tuple[str, ...], x: Tensor) -> Tensor:
        """The modules called `path` alone, one after the other."""
        for name in path:
            x = getattr(self, name)(x)
        return x


class Branch(Scope):
    """A scope whose modules simply follow each other; without any, the identity."""

    def forward(self, x: Tensor) -> Tensor:
        return self.run(tuple(self._modules), x)


def activation(bounded: bool) -> nn.Module:
    return nn.ReLU6() if bounded else nn.ReLU()


def make_branch(operand: Operand, channels: int, filters: int, stride: int, bounded: bool) -> Branch:
    """The official `_apply_conv_operation`, drop path apart, on a state of `channels`."""
    branch = Branch()
    if operand.operation == "separable":
        _add_separable(branch, operand.kernel, channels, filters, stride, bounded)
    elif operand.operation == "max_pool":
        if bounded:
            branch.add_activation(bounded)
        branch.add("max_pool", SameMaxPool2d(operand.kernel, stride))
        if channels != filters:
            branch.add_conv("1x1", "bn_1", SameConv2d(channels, filters, 1), filters)
    else:
        changes = stride > 1 or channels != filters
        if bounded or changes:
            branch.add_activation(bounded)
        if not changes:
            return branch
        branch.add_conv("1x1", "bn_1", SameConv2d(channels, filters, 1, stride), filters)
    if bounded:
        branch.add("clip_by_value", Clip())
    return branch


def _add_separable(branch: Branch, kernel: int, channels: int, filters: int, stride: int, bounded: bool) -> None:
    """The official `_stacked_separable_conv`: two layers, of which the first has the stride."""
    for name in (f"{kernel}x{kernel}_1", f"{kernel}x{kernel}_2"):
        branch.add_activation(bounded)
        separable = SeparableConv2d(channels, filters, kernel, stride)
        branch.add_conv(f"separable_{name}", f"bn_sep_{name}", separable, filters)
        channels, stride = filters, 1


class Combination(nn.Module):
    """`comb_iter_N`: an operation on each of two states, and their sum. Drop path spares the operation `none`."""

    def __init__(self, left: Branch, right: Branch, drop_path: Mapping[str, DropPath], bounded: bool) -> None:
        super().__init__()
        self.left, self.right = left, right
        self.drop_path = nn.ModuleDict(drop_path)
        self.combine = nn.ModuleDict({"add": Add()} | ({"relu6": nn.ReLU6()} if bounded else {}))

    def forward(self, left: Tensor, right: Tensor, step: int | Tensor | None) -> Tensor:
        outputs = {"left": self.left(left), "right": self.right(right)}
        for side, drop_path in self.drop_path.items():
            outputs[side] = drop_path(outputs[side], step)
        total = self.combine["add"](outputs["left"], outputs["right"])
        return self.combine["relu6"](total) if "relu6" in self.combine else total


class Cell(Scope):
    """A cell as its plan says: both inputs brought to its filters and size, five combinations, one concatenation.

    forward takes `net` and `prev` (N, C, H, W) and, in training, the step that the drop-path schedule is at.
    """

    def __init__(self, plan: CellPlan, config: Config) -> None:
        super().__init__()
        bounded, filters = config.use_bounded_activation, plan.filters
        prev = plan.prev or plan.net
        self.reduces_prev = plan.reduces_prev
        if self.reduces_prev:
            self._add_factorized_reduction(prev.channels, filters, bounded)
        elif plan.prev is not None and prev.channels != filters:
            self.add_activation(bounded)
            self.add_conv("prev_1x1", "prev_bn", SameConv2d(prev.channels, filters, 1), filters)
        self.prev_path = tuple(self._modules)
        self.add_activation(bounded)
        self.add_conv("1x1", "beginning_bn", SameConv2d(plan.net.channels, filters, 1), filters)
        self.net_path = tuple(self._modules)[len(self.prev_path) :]
        channels = (filters, filters if self.prev_path else prev.channels)
        schedule = config.drop_path_keep_prob, plan.depth, config.num_cells + 2, config.total_training_steps
        for number, operands in enumerate(PNASNET_5.combinations):
            left, right = (self._branch(operand, channels, plan, bounded) for operand in operands)
            sides = zip(("left", "right"), operands, strict=True)
            drop_path = {side: DropPath(*schedule) for side, operand in sides if operand.operation != "none"}
            self.add_module(f"comb_iter_{number}", Combination(left, right, drop_path, bounded))
        self.cell_output = nn.ModuleDict({"concat": Concat()})

    def _add_factorized_reduction(self, channels: int, filters: int, bounded: bool) -> None:
        self.add_activation(bounded)
        self.avg_pool, self.avg_pool_1 = Subsample(0), Subsample(1)
        self.path1_conv = SameConv2d(channels, filters // 2, 1)
        self.path2_conv = SameConv2d(channels, filters // 2 + filters % 2, 1)
        self.concat = Concat()
        self.final_path_bn = BatchNorm(filters)

    @staticmethod
    def _branch(operand: Operand, channels: tuple[int, int], plan: CellPlan, bounded: bool) -> Branch:
        is_input = operand.state < 2
        operand_channels = channels[operand.state] if is_input else plan.filters
        stride = plan.stride if is_input else 1
        return make_branch(operand, operand_channels, plan.filters, stride, bounded)

    def _previous(self, x: Tensor) -> Tensor:
        """The official `_reduce_prev_layer`."""
        if not self.reduces_prev:
            return self.run(self.prev_path, x)
        x = self.run(self.prev_path[:1], x)
        paths = self.path1_conv(self.avg_pool(x)), self.path2_conv(self.avg_pool_1(x))
        return self.final_path_bn(self.concat(*paths))

    def forward(self, net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        states = [self.run(self.net_path, net), self._previous(prev)]
        for number, (left, right) in enumerate(PNASNET_5.combinations):
            states.append(getattr(self, f"comb_iter_{number}")(states[left.state], states[right.state], step))
        return self.cell_output["concat"](*(states[index] for index in PNASNET_5.outputs))
