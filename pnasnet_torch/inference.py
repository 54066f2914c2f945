"""The network for inference: fewer operations and the same values up to rounding, at every size and in every dtype."""

from copy import deepcopy

import torch
from torch import nn

from pnasnet_torch.cell import Branch, Scope
from pnasnet_torch.folding import first, fused
from pnasnet_torch.model import PNASNet
from pnasnet_torch.operations import BatchNorm, SameConv2d, SeparableConv2d
from pnasnet_torch.packed import PackedConv2d


@torch.inference_mode(False)
@torch.no_grad()
def inference_form(model: PNASNet) -> PNASNet:
    """Return a new network that gives what `model` gives in evaluation, faster; `model` stays as it is.

    Convolutions take in the batch norm behind them, their weights lie ready for oneDNN's kernels, and maps lie in
    channels_last. All layers keep their name and meaning; a convolution that took in a batch norm goes by that one's
    name, and its own gives nothing. Raise ValueError for a model in training mode.
    """
    if model.training:
        raise ValueError("the inference form is made of a model in evaluation mode: call eval() first")
    form = deepcopy(model)
    form.add_module("conv0_bn", first(model.conv0, model.conv0_bn))
    form.add_module("conv0", _nothing())
    for module in form.modules():
        if isinstance(module, Scope):
            _fold(module)
    return form.eval().requires_grad_(False)


def _fold(scope: Scope) -> None:
    """Put each convolution of a scope that has a batch norm behind it in the place of that one."""
    # What the convolution before lies in, its name there, and itself; None where the module before is none.
    before: tuple[nn.Module, str, nn.Conv2d] | None = None
    for name, module in list(scope.named_children()):
        if isinstance(module, BatchNorm) and before:
            owner, conv_name, conv = before
            scope.add_module(name, fused(conv, module))
            owner.add_module(conv_name, _nothing())
            before = None
        elif isinstance(module, SeparableConv2d):
            depthwise = module.depthwise
            module.add_module("depthwise", PackedConv2d(depthwise, depthwise.weight, None))
            before = module, "pointwise", module.pointwise
        else:
            # A batch norm behind anything else is none of the convolution's.
            before = (scope, name, module) if isinstance(module, SameConv2d) else None


def _nothing() -> Branch:
    """Return what takes the place of a convolution: it passes on what it is given, and is no layer."""
    return Branch()
