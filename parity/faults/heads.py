"""Faults of the last layers, and layers that are not what they report. Tensors are (N, C, H, W), at the end (N, C)."""

import torch
from torch import Tensor, nn

from parity.faults.fault import Fault
from parity.faults.padding import CADENE
from parity.faults.plant import after, change, changed, part, preceded_by, repeat, replaced_by, skip
from pnasnet_torch import PNASNet
from pnasnet_torch.cell import activation

BRANCH_RELU = r".*\.(left|right)\.relu(_1)?"
SEPARABLE_NORM = r".*\.bn_sep_.*"
MEAN = "final_layer.mean"
LOGITS = "final_layer.FC"
PREDICTIONS = "final_layer.predictions"


def _fewer_classes(model: PNASNet, _site: str) -> None:
    """Drop the background's row of the last layer."""
    for name in ("weight", "bias"):
        change(model, LOGITS, name, lambda tensor: tensor[1:])


def _other_classes(model: PNASNet, _site: str) -> None:
    """Give each class what belongs to the next."""
    for name in ("weight", "bias"):
        change(model, LOGITS, name, lambda tensor: tensor.roll(-1, 0))


def _dropout(model: PNASNet, _site: str) -> None:
    """Leave dropout in training mode."""
    part(model, "final_layer.dropout").train()


def _mean_over_batch(x: Tensor) -> Tensor:
    """Return the mean (N, C) over rows, columns and images, the same for each image."""
    mean = x.mean(dim=(0, 2, 3))
    return mean.expand(len(x), -1)


def _extra_head(model: PNASNet, _site: str) -> None:
    """Add an auxiliary head, as if it had been loaded too."""
    conv = nn.Conv2d(4, 4, 1, bias=False)
    model.add_module("aux_7", nn.ModuleDict({"aux_logits": conv.eval()}))


def _remove(model: PNASNet, site: str) -> None:
    """Remove a layer from the modules that its scope runs."""
    path, _, name = site.rpartition(".")
    del part(model, path)._modules[name]


def _skip_reported(model: PNASNet, site: str) -> None:
    """Compute a ReLU by a function, past its module."""
    skip(model, site, torch.relu)


def _rename(model: PNASNet, site: str) -> None:
    """Give a layer another name, at its place among the modules of its scope."""
    path, _, name = site.rpartition(".")
    modules = part(model, path)._modules
    renamed = {}
    # All of them anew: a branch runs its modules in the order of this dictionary.
    for key, module in modules.items():
        renamed[f"{name}_renamed" if key == name else key] = module
    modules.clear()
    modules.update(renamed)


def _insert_relu(model: PNASNet, site: str) -> None:
    """Add a module with a ReLU of its own before a batch norm."""
    path, _, name = site.rpartition(".")
    modules = part(model, path)._modules
    longer = {}
    for key, module in modules.items():
        if key == name:
            longer["relu_extra"] = activation(bounded=False)
        longer[key] = module
    modules.clear()
    modules.update(longer)


def _raises(*_inputs: Tensor) -> Tensor:
    """Raise ValueError."""
    raise ValueError("planted")


def _half(model: PNASNet, site: str) -> None:
    """Bring a layer's input through single precision, or in a float32 network through half precision."""
    module = part(model, site)
    forward = module.forward
    # One step down in each network: in float32, single precision would lose nothing.
    lower = {torch.float64: torch.float32, torch.float32: torch.bfloat16}
    module.forward = lambda x: forward(x.to(lower[x.dtype]).to(x.dtype))


def _noisy(model: PNASNet, site: str) -> None:
    """Add a part in ten thousand of noise, another one each time."""
    after(model, site, lambda x: x * (1 + 1e-4 * torch.rand_like(x)))


HEADS = (
    Fault("classes off by one", lambda _: [LOGITS], _other_classes),
    # Class 0 of the official 1001 is the background.
    Fault("background class dropped", lambda _: [LOGITS], _fewer_classes, kind="structure", port=CADENE),
    Fault("bias of the classes missing", lambda _: [LOGITS], changed("bias", torch.zeros_like)),
    # Dropout is no layer of the official network, so these are faults of what arrives behind it.
    Fault("dropout active", lambda _: [LOGITS], _dropout, kind="wiring"),
    Fault("dropout's scale in evaluation", lambda _: [LOGITS], preceded_by(lambda x: x * 0.5), kind="wiring"),
    Fault("mean over the batch too", lambda _: [MEAN], replaced_by(_mean_over_batch)),
    Fault("mean over the rows alone", lambda _: [MEAN], replaced_by(lambda x: x.mean(dim=2)[:, :, 0])),
    Fault("sum for mean", lambda _: [MEAN], replaced_by(lambda x: x.sum(dim=(2, 3)))),
    Fault("max for mean", lambda _: [MEAN], replaced_by(lambda x: x.amax(dim=(2, 3)))),
    Fault("sigmoid for softmax", lambda _: [PREDICTIONS], replaced_by(torch.sigmoid)),
    Fault("softmax over the batch", lambda _: [PREDICTIONS], replaced_by(lambda x: x.softmax(0))),
    Fault("auxiliary head kept", lambda _: ["aux_7.aux_logits"], _extra_head, kind="extra"),
)
REPORTING = (
    Fault("ReLU never run", lambda p: p.layers(BRANCH_RELU), skip, kind="not reported"),
    # Every value of the network is right: what is wrong is that one cannot be compared.
    Fault("ReLU computed elsewhere", lambda p: p.layers(BRANCH_RELU), _skip_reported, kind="not reported"),
    Fault("ReLU not in the model", lambda p: p.layers(BRANCH_RELU), _remove, kind="missing"),
    Fault("layer under another name", lambda p: p.layers(SEPARABLE_NORM), _rename, kind="missing"),
    Fault("layer run twice", lambda p: p.layers(SEPARABLE_NORM), repeat, kind="wiring"),
    Fault("layer that raises", lambda p: p.layers(r".*\.(depthwise|max_pool|add)"), replaced_by(_raises)),
    Fault("layer in a lower precision", lambda p: p.layers(r".*\.(depthwise|pointwise|1x1)"), _half),
    Fault("layer that is not deterministic", lambda p: p.layers(r".*\.(depthwise|bn_1|add)"), _noisy),
    Fault(
        "ReLU that the official network lacks",
        lambda p: p.layers(SEPARABLE_NORM),
        _insert_relu,
        kind="wiring",
    ),
)
