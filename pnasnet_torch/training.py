"""The training loss as slim composes it for this network."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.model import PNASNet, TrainingOutputs
from pnasnet_torch.operations import BatchNorm

# research/slim/train_image_classifier.py: the auxiliary loss's weight; labels smoothed as published for this network.
AUX_WEIGHT = 0.4
LABEL_SMOOTHING = 0.1
# research/slim/nets/nasnet/pnasnet.py, of both networks.
WEIGHT_DECAY = 4e-5


class Losses(NamedTuple):
    """The parts of the training loss, scalars; `auxiliary` is weighted already, and zero without the head."""

    cross_entropy: Tensor
    auxiliary: Tensor
    regularization: Tensor

    @property
    def total(self) -> Tensor:
        """The training loss, a scalar: the sum of its parts."""
        return self.cross_entropy + self.auxiliary + self.regularization


def training_loss(model: PNASNet, outputs: Tensor | TrainingOutputs, labels: Tensor) -> Losses:
    """Return the losses of what `model` gave in training for images with `labels` (N), class numbers.

    Class 0 is the background. The cross-entropies are means over the batch, over labels that are smoothed evenly over
    all classes. The L2 norm is that of every weight but the batch norms', and of no bias.
    """
    aux_logits = None
    if isinstance(outputs, TrainingOutputs):
        logits, aux_logits = outputs
    else:
        logits = outputs
    cross_entropy = F.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
    auxiliary = logits.new_zeros(())
    if aux_logits is not None:
        auxiliary = AUX_WEIGHT * F.cross_entropy(aux_logits, labels, label_smoothing=LABEL_SMOOTHING)
    squares = torch.stack([weight.square().sum() for _, weight in regularized(model)])
    # slim's regularizer is tf.nn.l2_loss, which halves the sum of squares.
    return Losses(cross_entropy, auxiliary, WEIGHT_DECAY / 2 * squares.sum())


def regularized(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters, by name, whose L2 norm is part of the loss."""
    for path, module in model.named_modules():
        if not isinstance(module, BatchNorm):
            for name, parameter in module.named_parameters(path, recurse=False):
                if name.endswith("weight"):
                    yield name, parameter
