"""Faults of the last layers, and layers that are not what they report."""

import torch
from torch import Tensor, nn

from parity.faults.fault import Fault
from parity.faults.padding import CADENE
from parity.faults.plant import after, before, change, part, repeat, replace, skip
from pnasnet_torch import PNASNet
from pnasnet_torch.cell import activation

RELU = r".*\.(left|right)\.relu(_1)?"
LOGITS = "final_layer.FC"


def _fewer_classes(model: PNASNet, _site: str) -> None:
    """The background's row is dropped."""
    for name in ("weight", "bias"):
        change(model, LOGITS, name, lambda tensor: tensor[1:])


def _other_classes(model: PNASNet, _site: str) -> None:
    for name in ("weight", "bias"):
        change(model, LOGITS, name, lambda tensor: tensor.roll(-1, 0))


def _extra_head(model: PNASNet, _site: str) -> None:
    """An auxiliary head that was loaded too."""
    model.add_module("aux_7", nn.ModuleDict({"aux_logits": nn.Conv2d(4, 4, 1, bias=False).eval()}))


def _remove(model: PNASNet, site: str) -> None:
    path, _, name = site.rpartition(".")
    del part(model, path)._modules[name]


def _rename(model: PNASNet, site: str) -> None:
    modules = part(model, site.rpartition(".")[0])._modules
    rows = [(f"{name}_renamed" if name == site.rpartition(".")[2] else name, row) for name, row in modules.items()]
    modules.clear()
    modules.update(rows)


def _insert_relu(model: PNASNet, site: str) -> None:
    """A ReLU of its own before the batch norm."""
    path, _, name = site.rpartition(".")
    modules = part(model, path)._modules
    rows = list(modules.items())
    rows.insert([key for key, _ in rows].index(name), ("relu_extra", activation(bounded=False)))
    modules.clear()
    modules.update(rows)


def _raises(model: PNASNet, site: str) -> None:
    def forward(*_inputs: Tensor) -> Tensor:
        raise ValueError("planted")

    replace(model, site, forward)


def _half(model: PNASNet, site: str) -> None:
    """Computes in single precision whatever the network's dtype, and in half precision in a float32 network."""
    module = part(model, site)
    forward = module.forward
    lower = {torch.float64: torch.float32, torch.float32: torch.bfloat16}
    module.forward = lambda x: forward(x.to(lower[x.dtype]).to(x.dtype))


def _noisy(model: PNASNet, site: str) -> None:
    """A part in ten thousand of noise, another one each time."""
    after(model, site, lambda x: x * (1 + 1e-4 * torch.rand_like(x)))


HEADS = (
    Fault("classes off by one", lambda _: [LOGITS], _other_classes),
    Fault("background class dropped", lambda _: [LOGITS], _fewer_classes, "structure", port=CADENE),
    Fault("bias of the classes missing", lambda _: [LOGITS], lambda m, s: change(m, s, "bias", torch.zeros_like)),
    Fault("dropout active", lambda _: [LOGITS], lambda m, _: part(m, "final_layer.dropout").train(), "wiring"),
    Fault("dropout's scale in evaluation", lambda _: [LOGITS], lambda m, s: before(m, s, lambda x: x * 0.5), "wiring"),
    Fault(
        "mean over the batch too",
        lambda _: ["final_layer.mean"],
        lambda m, s: replace(m, s, lambda x: x.mean(dim=(0, 2, 3)).expand(len(x), -1)),
    ),
    Fault(
        "mean over the rows alone",
        lambda _: ["final_layer.mean"],
        lambda m, s: replace(m, s, lambda x: x.mean(dim=2)[:, :, 0]),
    ),
    Fault("sum for mean", lambda _: ["final_layer.mean"], lambda m, s: replace(m, s, lambda x: x.sum(dim=(2, 3)))),
    Fault("max for mean", lambda _: ["final_layer.mean"], lambda m, s: replace(m, s, lambda x: x.amax(dim=(2, 3)))),
    Fault("sigmoid for softmax", lambda _: ["final_layer.predictions"], lambda m, s: replace(m, s, torch.sigmoid)),
    Fault(
        "softmax over the batch",
        lambda _: ["final_layer.predictions"],
        lambda m, s: replace(m, s, lambda x: x.softmax(0)),
    ),
    Fault("auxiliary head kept", lambda _: ["aux_7.aux_logits"], _extra_head, "extra"),
)
REPORTING = (
    Fault("ReLU never run", lambda p: p.layers(RELU), skip, "not reported"),
    Fault("ReLU computed elsewhere", lambda p: p.layers(RELU), lambda m, s: skip(m, s, torch.relu), "not reported"),
    Fault("ReLU not in the model", lambda p: p.layers(RELU), _remove, "missing"),
    Fault("layer under another name", lambda p: p.layers(r".*\.bn_sep_.*"), _rename, "missing"),
    Fault("layer run twice", lambda p: p.layers(r".*\.bn_sep_.*"), repeat, "wiring"),
    Fault("layer that raises", lambda p: p.layers(r".*\.(depthwise|max_pool|add)"), _raises),
    Fault("layer in a lower precision", lambda p: p.layers(r".*\.(depthwise|pointwise|1x1)"), _half),
    Fault("layer that is not deterministic", lambda p: p.layers(r".*\.(depthwise|bn_1|add)"), _noisy),
    Fault("ReLU that the official network lacks", lambda p: p.layers(r".*\.bn_sep_.*"), _insert_relu, "wiring"),
)
