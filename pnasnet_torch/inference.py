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

# The inputs of a cell are its first states, and the first slots of its program.
NET = 0
PREV = 1
INPUTS = (NET, PREV)


@torch.inference_mode(False)
@torch.no_grad()
def inference_form(model: PNASNet) -> PNASNet:
    """Return a new network that gives what `model` gives in evaluation, faster; `model` stays as it is.

    Convolutions take in the batch norm behind them, and the ReLU between the halves of a separable operation; the last
    one of a combination takes in the sum, and the ReLU that all readers of a cell's output begin with. Maps lie in
    channels_last, and what several operations of a cell begin with is computed once. All layers keep their name and
    meaning, a convolution that of the last layer that it took in. Those taken in before it are gone, and so are sums,
    concatenations, repeated ReLUs and max-pools, and the auxiliary head. Raise ValueError for a model in training mode.
    """
    if model.training:
        raise ValueError("the inference form is made of a model in evaluation mode: call eval() first")
    # On the meta device the new network costs no memory: every module with weights is replaced below.
    with torch.device("meta"):
        form = PNASNet(replace(model.config, aux_image_size=None)).eval()
    # The first layer's name stays, as an identity: its batch norm is now the convolution.
    form.add_module("conv0", Branch())
    form.add_module("conv0_bn", first(model.conv0, model.conv0_bn))
    cells = [getattr(model, plan.scope) for plan, _ in model.cell_plans]
    # Outputs that are read without a ReLU, too: the first convolution's, and where a cell has no path to `prev`. None
    # is the `prev` of the first cell.
    raw: set[int | None] = {0}
    for cell, (_, prev) in zip(cells, model.cell_plans, strict=True):
        if not cell.prev_path:
            raw.add(prev)
    for number, (cell, (plan, prev)) in enumerate(zip(cells, model.cell_plans, strict=True)):
        # Output 0 is the first convolution's: a cell reads the output with its own number, and gives the next.
        net_rectified = number not in raw
        prev_rectified = prev not in raw
        rectifies = number + 1 not in raw
        form.add_module(plan.scope, InferenceCell(cell, plan, net_rectified, prev_rectified, rectifies))
    form.final_layer = deepcopy(model.final_layer)
    if len(cells) not in raw:
        _skip_first(form.final_layer, form.final_layer.path)
    return form.eval().requires_grad_(False)


class InferenceCell(Scope):
    """A cell whose batch norms are folded, as a list of calls.

    The operations on a state that begin alike share the module that they begin with, which runs once. What runs, and in
    which order, is settled in the constructor: a module put in the place of another later is not called.

    `net_rectified` and `prev_rectified` say that an input comes behind the ReLU that everything on it begins with,
    `rectifies` that the output shall.
    """

    def __init__(self, cell: Cell, plan: CellPlan, net_rectified: bool, prev_rectified: bool, rectifies: bool) -> None:
        super().__init__()
        for name, module in _folded(cell):
            self.add_module(name, module)
        # `forward` itself concatenates what the cell gives.
        del self.cell_output
        self.reduces_prev = cell.reduces_prev
        if self.reduces_prev:
            # One batch norm is behind the concatenation of both paths: each path's convolution takes in its channels.
            half = cell.path1_conv.out_channels
            self.path1_bn = fused(cell.path1_conv, cell.final_path_bn, slice(half))
            self.path2_bn = fused(cell.path2_conv, cell.final_path_bn, slice(half, None))
            self.final_path_bn = Concat()
            del self.concat
        # Folding has taken modules away: the convolutions, whose batch norms stand for both.
        self.prev_path = tuple(name for name in cell.prev_path if name in self._modules)
        self.net_path = tuple(name for name in cell.net_path if name in self._modules)
        if net_rectified:
            _skip_first(self, self.net_path)
        if prev_rectified:
            _skip_first(self, self.prev_path)
        if rectifies:
            self._rectify()
        self._share(same_inputs=plan.prev is None)
        self.steps, self.outputs = self._program(same_inputs=plan.prev is None)

    def _rectify(self) -> None:
        """Put the ReLU that all readers of the output begin with into the sums, which nothing reads before it."""
        for number, operands in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            combination.rectify()
            for branch, operand in zip((combination.left, combination.right), operands, strict=True):
                # Any other state is a sum of this cell, and comes behind the ReLU now.
                if operand.state not in INPUTS:
                    _skip_first(branch, tuple(branch._modules))

    def _share(self, same_inputs: bool) -> None:
        """Put the first module that a state's operations begin with in the place of all that are like it."""
        # By state and printed form, which tells whether two modules are alike: ReLUs and max-pools have no weights.
        seen: dict[tuple[int, str], nn.Module] = {}
        if same_inputs:  # the first cell, whose second state is what its first state's path begins with
            relu = getattr(self, self.net_path[0])
            seen[1, str(relu)] = relu
        for number, operands in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            for branch, operand in zip((combination.left, combination.right), operands, strict=True):
                children = list(branch.named_children())
                if children:  # the operation `none` may have no module
                    name, module = children[0]
                    shared = seen.setdefault((operand.state, str(module)), module)
                    branch.add_module(name, shared)

    def _program(self, same_inputs: bool) -> tuple[tuple[Step, ...], tuple[int, ...]]:
        """Return the calls of all modules in their order, and the slots of the states that are the output."""
        program = Program(len(INPUTS))
        first_state = self._chain(program, self.net_path, NET)
        second_state = NET if same_inputs else self._previous(program)
        states = [first_state, second_state]
        for number, (left, right) in enumerate(PNASNET_5.combinations):
            combination = getattr(self, f"comb_iter_{number}")
            left_slot = program.chain(_leaves(combination.left), states[left.state])
            right_slot = program.chain(_leaves(combination.right), states[right.state])
            # Either the convolution that adds the right output, or the sum and what follows it.
            combining = list(_leaves(combination.combine)) or [combination.combine]
            sum_slot = program.call(combining[0], left_slot, right_slot)
            states.append(program.chain(combining[1:], sum_slot))
        outputs = tuple(states[index] for index in PNASNET_5.outputs)
        return program.steps(outputs), outputs

    def _previous(self, program: Program) -> int:
        """Add the calls that make the second state of `prev` to the program, and return its slot."""
        if not self.reduces_prev:
            return self._chain(program, self.prev_path, PREV)
        relu_slot = self._chain(program, self.prev_path[:1], PREV)
        path1_slot = self._chain(program, ("avg_pool", "path1_bn"), relu_slot)
        path2_slot = self._chain(program, ("avg_pool_1", "path2_bn"), relu_slot)
        return program.call(self.final_path_bn, path1_slot, path2_slot)

    def _chain(self, program: Program, path: Iterable[str], slot: int) -> int:
        """Add the calls of the modules named in `path` to the program, and return the last one's slot."""
        return program.chain([getattr(self, name) for name in path], slot)

    def forward(self, net: Tensor, prev: Tensor, step: int | Tensor | None = None) -> Tensor:
        """Return the cell's output (N, C, H, W) from the two inputs `net` and `prev`; `step` is of no account here."""
        values: dict[int, Tensor] = {NET: net, PREV: prev}
        for module, reads, writes, spent in self.steps:
            values[writes] = module(*[values[slot] for slot in reads])
            # A map that nothing reads any more is given up at once: its memory serves the next one.
            for slot in spent:
                del values[slot]
        return torch.cat([values[slot] for slot in self.outputs], dim=1)


class InferenceCombination(nn.Module):
    """The modules of a combination, to be called by the program of its cell.

    The last convolution of the left branch, `combine`, adds the right one's output to its own, unless activations are
    bounded, when there is a layer between.
    """

    def __init__(self, combination: Combination) -> None:
        super().__init__()
        self.left = _branch(_activated(_folded(combination.left)))
        self.right = _branch(_activated(_folded(combination.right)))
        # All left operations of the genotype are separable: they end in a convolution, or else in the bounded clip.
        name, last = list(self.left.named_children())[-1]
        combine: nn.Module
        if isinstance(last, PackedConv2d):
            delattr(self.left, name)
            combine = last
        else:
            combine = deepcopy(combination.combine)
        self.combine = combine

    def rectify(self) -> None:
        """Put a ReLU behind the sum, where there is no bounded one."""
        if isinstance(self.combine, PackedConv2d):
            self.combine.relu = True


class CeilMaxPool2d(SameMaxPool2d):
    """SAME max-pool with kernel 3: where that lacks a pixel behind alone, `ceil_mode` adds it without a copy."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled map (N, C, H', W') of x (N, C, H, W)."""
        before = [same_padding(side, self.kernel, self.stride)[0] for side in x.shape[2:]]
        return F.max_pool2d(x, self.kernel, self.stride, before, ceil_mode=True)


def _folded(scope: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield copies of the scope's children by name; a batch norm behind a convolution becomes the two of them in one.

    The convolution itself is not among them: what it gave before the batch norm is computed no more.
    """
    conv: nn.Conv2d | None = None
    for name, module in scope.named_children():
        if isinstance(module, BatchNorm) and conv is not None:
            yield name, fused(conv, module)
        elif isinstance(module, nn.Conv2d):
            conv = module
        elif isinstance(module, SeparableConv2d):
            conv = module.pointwise
            depthwise = module.depthwise
            yield name, _branch([("depthwise", PackedConv2d(depthwise, depthwise.weight.clone(), None))])
        elif isinstance(module, SameMaxPool2d):
            yield name, CeilMaxPool2d(module.kernel, module.stride)
        elif isinstance(module, Combination):
            conv = None
            yield name, InferenceCombination(module)
        else:
            # A batch norm behind anything else is none of the convolution's.
            conv = None
            yield name, deepcopy(module)


def _skip_first(scope: nn.Module, path: Sequence[str]) -> None:
    """Let the first of `path`, a ReLU on what comes behind one, do nothing more than to have its name."""
    for name in path[:1]:
        scope.add_module(name, nn.Identity())


def _leaves(scope: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that compute, in their order."""
    for child in scope.children():
        if any(child.children()):
            yield from _leaves(child)
        else:
            yield child


def _activated(modules: Iterable[tuple[str, nn.Module]]) -> Iterable[tuple[str, nn.Module]]:
    """Return modules that follow each other, a ReLU as part of the convolution before it, which gets its name."""
    activated: dict[str, nn.Module] = {}
    last: nn.Module | None = None
    for name, module in modules:
        if isinstance(module, nn.ReLU) and isinstance(last, PackedConv2d):
            # A layer's name stands for its output, and the convolution gives the ReLU's now.
            activated.popitem()
            last.relu = True
            activated[name] = last
        else:
            activated[name] = module
            last = module
    return activated.items()


def _branch(modules: Iterable[tuple[str, nn.Module]]) -> Branch:
    """Return a branch of these modules, which follow each other, under these names."""
    branch = Branch()
    for name, module in modules:
        branch.add_module(name, module)
    return branch
