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
        """Add `module` as `name`, or as `name_1` and so on where `name` is taken."""
        same = [child for child in self._modules if re.fullmatch(rf"{re.escape(name)}(_\d+)?", child)]
        if same:
            name = f"{name}_{len(same)}"
        self.add_module(name, module)

    def add_activation(self, bounded: bool) -> None:
        """Add a ReLU, or a ReLU6 where activations are `bounded`, under TensorFlow's name."""
        self.add("relu6" if bounded else "relu", activation(bounded))

    def add_conv(self, conv: str, bn: str, module: SameConv2d | SeparableConv2d, filters: int) -> None:
        """Add a convolution under the name `conv`, and a batch norm of its `filters` under the name `bn`."""
        self.add_module(conv, module)
        self.add_module(bn, BatchNorm(filters))

    def run(self, path: tuple[str, ...], x: Tensor) -> Tensor:
        """Return the output of the modules called `path` alone, one after the other, on x."""
        for name in path:
            x = getattr(self, name)(x)
        return x


class Branch(Scope):
    """A scope whose modules simply follow each other; without any, the identity."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the last module's output on x (N, C, H, W)."""
        return self.run(tuple(self._modules), x)


def activation(bounded: bool) -> nn.Module:
    """Return the network's activation: a ReLU, or a ReLU6 where activations are `bounded`."""
    return nn.ReLU6() if bounded else nn.ReLU()


def make_branch(operand: Operand, channels: int, filters: int, stride: int, bounded: bool) -> Branch:
    """Return the official `_apply_conv_operation`, drop path apart, on a state of `channels`."""
    branch = Branch()
    if operand.operation == "separable":
        _add_separable(branch, operand.kernel, channels, filters, stride, bounded)
    elif operand.operation == "max_pool":
        # The official code puts an activation before a pool only where it is bounded.
        if bounded:
            branch.add_activation(bounded)
        branch.add("max_pool", SameMaxPool2d(operand.kernel, stride))
        if channels != filters:
            branch.add_conv("1x1", "bn_1", SameConv2d(channels, filters, 1), filters)
    else:
        # The operation `none` is the identity, unless the state has another size or number of channels.
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
    """Add the official `_stacked_separable_conv`: two layers, of which the first has the stride."""
    for name in (f"{kernel}x{kernel}_1", f"{kernel}x{kernel}_2"):
        branch.add_activation(bounded)
        separable = SeparableConv2d(channels, filters, kernel, stride)
        branch.add_conv(f"separable_{name}", f"bn_sep_{name}", separable, filters)
        # The second layer reads the first one's output.
        channels = filters
        stride = 1


class Combination(nn.Module):
    """`comb_iter_N`: an operation on each of two states, and their sum. Drop path spares the operation `none`.

    `drop_path` has a module for each side, `left` or `right`, that may be dropped.
    """

    def __init__(self, left: Branch, right: Branch, drop_path: Mapping[str, DropPath], bounded: bool) -> None:
        super().__init__()
        self.left = left
        self.right = right
        self.drop_path = nn.ModuleDict(drop_path)
        self.combine = nn.ModuleDict({"add": Add()})
        if bounded:
            self.combine["relu6"] = nn.ReLU6()

    def forward(self, left: Tensor, right: Tensor, step: int | Tensor | None) -> Tensor:
        """Return the sum (N, C, H, W) of both operations on two states, at the training step `step`."""
        outputs = {"left": self.left(left), "right": self.right(right)}
        for side, drop_path in self.drop_path.items():
            outputs[side] = drop_path(outputs[side], step)
        total = self.combine["add"](outputs["left"], outputs["right"])
        if "relu6" in self.combine:
            return self.combine["relu6"](total)
        return total


class Cell(Scope):
    """A cell as its plan says: both inputs brought to its filters and size, five combinations, one concatenation."""

    def __init__(self, plan: CellPlan, config: Config) -> None:
        super().__init__()
        bounded = config.use_bounded_activation
        filters = plan.filters
        # Without a previous cell, both inputs are `net`.
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
        # An input that needs no path, such as the first cell's second one, keeps the channels that it comes with.
        prev_channels = filters if self.prev_path else prev.channels
        self._add_combinations((filters, prev_channels), plan, config)
        self.cell_output = nn.ModuleDict({"concat": Concat()})

    def _add_factorized_reduction(self, channels: int, filters: int, bounded: bool) -> None:
        """Add the official `factorized_reduction`: two paths over different pixels, concatenated, one batch norm."""
        self.add_activation(bounded)
        self.avg_pool = Subsample(0)
        self.avg_pool_1 = Subsample(1)
        self.path1_conv = SameConv2d(channels, filters // 2, 1)
        # Mobile's stem has odd numbers of filters: the second path has the one that is left.
        self.path2_conv = SameConv2d(channels, filters // 2 + filters % 2, 1)
        self.concat = Concat()
        self.final_path_bn = BatchNorm(filters)

    def _add_combinations(self, channels: tuple[int, int], plan: CellPlan, config: Config) -> None:
        """Add `comb_iter_0` to `comb_iter_4`, on inputs of these `channels`."""
        # Drop path counts the cells of the stem, of which there are two.
        schedule = (config.drop_path_keep_prob, plan.depth, config.num_cells + 2, config.total_training_steps)
        for number, (left, right) in enumerate(PNASNET_5.combinations):
            left_branch = self._branch(left, channels, plan, config.use_bounded_activation)
            right_branch = self._branch(right, channels, plan, config.use_bounded_activation)
            drop_path = {}
            for side, operand in (("left", left), ("right", right)):
                if operand.operation != "none":
                    drop_path[side] = DropPath(*schedule)
            combination = Combination(left_branch, right_branch, drop_path, config.use_bounded_activation)
            self.add_module(f"comb_iter_{number}", combination)

    @staticmethod
    def _branch(operand: Operand, channels: tuple[int, int], plan: CellPlan, bounded: bool) -> Branch:
        """Return the operand's branch. Only the cell's inputs have the stride, and their own number of channels."""
        if operand.state < 2:
            return make_branch(operand, channels[operand.state], plan.filters, plan.stride, bounded)
        return make_branch(operand, plan.filters, plan.filters, 1, bounded)

    def _previous(self, x: Tensor) -> Tensor:
        """Return the second state, the official `_reduce_prev_layer`, from the input `prev` (N, C, H, W)."""
        if not self.reduces_prev:
            return self.run(self.prev_path, x)
        x = self.run(self.prev_path[:1], x)
        path1 = self.path1_conv(self.avg_pool(x))
        path2 = self.path2_conv(self.avg_pool_1(x))
        return self.final_path_bn(self.concat(path1, path2))

    def forward(self, net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        """Return the cell's output (N, C, H, W) from its inputs `net` and `prev` (N, C, H, W).

        In training, `step` is the step that the drop-path schedule is at.
        """
        states = [self.run(self.net_path, net), self._previous(prev)]
        for number, (left, right) in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            states.append(combination(states[left.state], states[right.state], step))
        return self.cell_output["concat"](*(states[index] for index in PNASNET_5.outputs))
