"""The network for inference: fewer operations and the same values up to rounding, at every size and in every dtype."""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.cell import Branch, Cell, Combination, Scope
from pnasnet_torch.folding import first, fused
from pnasnet_torch.genotype import PNASNET_5, CellPlan
from pnasnet_torch.model import PNASNet
from pnasnet_torch.operations import BatchNorm, Concat, SameMaxPool2d, SeparableConv2d
from pnasnet_torch.packed import PackedConv2d
from pnasnet_torch.padding import same_padding
from pnasnet_torch.program import Program, Step

INPUTS = NET, PREV = 0, 1  # of a cell: its first states, and slots of its program


@torch.inference_mode(False)
@torch.no_grad()
def inference_form(model: PNASNet) -> PNASNet:
    """A network of its own that gives what `model` gives in evaluation, faster; `model` stays as it is.

    Convolutions take in the batch norm behind them, and the ReLU between the halves of a separable operation; the last
    one of a combination takes in the sum, and the ReLU that all readers of a cell's output begin with. Maps lie in
    channels_last, and what several operations of a cell begin with is computed once. All layers keep their name and
    meaning, a convolution that of the last layer that it took in. Those taken in before it are gone, and so are sums,
    concatenations, repeated ReLUs and max-pools, and the auxiliary head. Raises ValueError for a model in training
    mode.
    """
    if model.training:
        raise ValueError("the inference form is made of a model in evaluation mode: call eval() first")
    with torch.device("meta"):
        form = PNASNet(replace(model.config, aux_image_size=None)).eval()
    form.add_module("conv0", Branch())
    form.add_module("conv0_bn", first(model.conv0, model.conv0_bn))
    cells = [getattr(model, plan.scope) for plan, _ in model.cell_plans]
    # Outputs that are read without a ReLU, too: the first convolution's, and where a cell has no path to `prev`.
    raw = {0} | {prev for cell, (_, prev) in zip(cells, model.cell_plans, strict=True) if not cell.prev_path}
    for number, (cell, (plan, prev)) in enumerate(zip(cells, model.cell_plans, strict=True)):
        rectified = number not in raw, prev not in raw, number + 1 not in raw
        form.add_module(plan.scope, InferenceCell(cell, plan, *rectified))
    form.final_layer = deepcopy(model.final_layer)
    if len(cells) not in raw:
        _spare(form.final_layer, form.final_layer.path)
    return form.eval().requires_grad_(False)


class InferenceCell(Scope):
    """A cell whose batch norms are folded. The operations on a state that begin alike share the module they begin with,
    which runs once. What runs, and in which order, is settled here: a module put in its place later is not called.

    `net_rectified` and `prev_rectified` say that an input comes behind the ReLU that everything on it begins with,
    `rectifies` that the output shall.
    """

    def __init__(self, cell: Cell, plan: CellPlan, net_rectified: bool, prev_rectified: bool, rectifies: bool) -> None:
        super().__init__()
        for name, module in _folded(cell):
            self.add_module(name, module)
        del self.cell_output
        self.reduces_prev = cell.reduces_prev
        if self.reduces_prev:
            half = cell.path1_conv.out_channels
            self.path1_bn = fused(cell.path1_conv, cell.final_path_bn, slice(half))
            self.path2_bn = fused(cell.path2_conv, cell.final_path_bn, slice(half, None))
            self.final_path_bn = Concat()
            del self.concat
        self.prev_path = tuple(name for name in cell.prev_path if name in self._modules)
        self.net_path = tuple(name for name in cell.net_path if name in self._modules)
        if net_rectified:
            _spare(self, self.net_path)
        if prev_rectified:
            _spare(self, self.prev_path)
        if rectifies:
            self._rectify()
        self._share(same_inputs=plan.prev is None)
        self.steps, self.outputs = self._program(same_inputs=plan.prev is None)

    def _rectify(self) -> None:
        """The ReLU goes into the sums, which nothing reads before it."""
        for number, operands in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            combination.rectify()
            for branch, operand in zip((combination.left, combination.right), operands, strict=True):
                if operand.state not in INPUTS:
                    _spare(branch, tuple(branch._modules))

    def _share(self, same_inputs: bool) -> None:
        """Puts the first module that a state's operations begin with in the place of all that are like it."""
        seen: dict[tuple[int, str], nn.Module] = {}
        if same_inputs:  # the first cell, whose second state is what its first state's path begins with
            relu = getattr(self, self.net_path[0])
            seen[1, str(relu)] = relu
        for number, operands in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            for branch, operand in zip((combination.left, combination.right), operands, strict=True):
                for name, module in list(branch.named_children())[:1]:
                    branch.add_module(name, seen.setdefault((operand.state, str(module)), module))

    def _program(self, same_inputs: bool) -> tuple[tuple[Step, ...], tuple[int, ...]]:
        """All modules in their order, and the slots of the states that are the output."""
        program = Program(len(INPUTS))
        states = [self._chain(program, self.net_path, NET), NET if same_inputs else self._previous(program)]
        for number, (left, right) in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            left_slot = program.chain(_leaves(combination.left), states[left.state])
            right_slot = program.chain(_leaves(combination.right), states[right.state])
            first, *others = [*_leaves(combination.combine)] or [combination.combine]
            states.append(program.chain(others, program.call(first, left_slot, right_slot)))
        outputs = tuple(states[index] for index in PNASNET_5.outputs)
        return program.steps(outputs), outputs

    def _previous(self, program: Program) -> int:
        """The slot of the second state."""
        if not self.reduces_prev:
            return self._chain(program, self.prev_path, PREV)
        x = self._chain(program, self.prev_path[:1], PREV)
        paths = ("avg_pool", "path1_bn"), ("avg_pool_1", "path2_bn")
        return program.call(self.final_path_bn, *(self._chain(program, path, x) for path in paths))

    def _chain(self, program: Program, path: Iterable[str], slot: int) -> int:
        return program.chain([getattr(self, name) for name in path], slot)

    def forward(self, net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        values: dict[int, Tensor] = {NET: net, PREV: prev}
        for module, reads, writes, spent in self.steps:
            values[writes] = module(*[values[slot] for slot in reads])
            for slot in spent:
                del values[slot]
        return torch.cat([values[slot] for slot in self.outputs], dim=1)


class InferenceCombination(nn.Module):
    """The modules of a combination. The last convolution of the left branch, `combine`, adds the right one's output to
    its own, unless activations are bounded, when there is a layer between."""

    def __init__(self, combination: Combination) -> None:
        super().__init__()
        branches = (_branch(_activated(_folded(branch))) for branch in (combination.left, combination.right))
        self.left, self.right = branches
        name, last = next(reversed(self.left._modules.items()))
        if isinstance(last, PackedConv2d):
            delattr(self.left, name)
        self.combine = last if isinstance(last, PackedConv2d) else deepcopy(combination.combine)

    def rectify(self) -> None:
        """Puts a ReLU behind the sum, where there is no bounded one."""
        if isinstance(self.combine, PackedConv2d):
            self.combine.relu = True


class CeilMaxPool2d(SameMaxPool2d):
    """SAME max-pool with kernel 3: where that lacks a pixel behind alone, `ceil_mode` adds it without a copy."""

    def forward(self, x: Tensor) -> Tensor:
        before = [same_padding(side, self.kernel, self.stride)[0] for side in x.shape[2:]]
        return F.max_pool2d(x, self.kernel, self.stride, before, ceil_mode=True)


def _folded(scope: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Copies of the scope's children by name; a batch norm behind a convolution becomes the two of them in one."""
    conv: nn.Conv2d | None = None
    for name, module in scope.named_children():
        if isinstance(module, BatchNorm) and conv is not None:
            yield name, fused(conv, module)
        elif isinstance(module, nn.Conv2d):
            conv = module
        elif isinstance(module, SeparableConv2d):
            conv, depthwise = module.pointwise, module.depthwise
            yield name, _branch([("depthwise", PackedConv2d(depthwise, depthwise.weight.clone(), None))])
        elif isinstance(module, SameMaxPool2d):
            yield name, CeilMaxPool2d(module.kernel, module.stride)
        else:
            conv = None
            yield name, InferenceCombination(module) if isinstance(module, Combination) else deepcopy(module)


def _spare(scope: nn.Module, path: Sequence[str]) -> None:
    """The first of `path`, a ReLU on what comes behind one, does nothing more than to have its name."""
    for name in path[:1]:
        scope.add_module(name, nn.Identity())


def _leaves(scope: nn.Module) -> Iterator[nn.Module]:
    """The modules that compute, in their order."""
    for child in scope.children():
        yield from _leaves(child) if any(child.children()) else [child]


def _activated(modules: Iterable[tuple[str, nn.Module]]) -> Iterable[tuple[str, nn.Module]]:
    """Of modules that follow each other, a ReLU becomes part of the convolution before it, which gets its name."""
    found: dict[str, nn.Module] = {}
    for name, module in modules:
        last = next(reversed(found.values()), None)
        if isinstance(module, nn.ReLU) and isinstance(last, PackedConv2d):
            found.popitem()
            last.relu, module = True, last
        found[name] = module
    return found.items()


def _branch(modules: Iterable[tuple[str, nn.Module]]) -> Branch:
    branch = Branch()
    for name, module in modules:
        branch.add_module(name, module)
    return branch
