"""Moving statistics as the official batch norm in float64 has them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from pnasnet_torch.operations import BATCH_NORM_DECAY, BATCH_NORM_MOMENTUM, BatchNorm

# Rounded to float32 behind the subtraction from 1; the fused batch norm rounds before it.
UNFUSED_MOMENTUM = float(np.float32(1 - BATCH_NORM_DECAY))


@contextmanager
def unfused_statistics(model: nn.Module) -> Iterator[None]:
    """Let one forward in training move the model's statistics as the official batch norm in float64 does.

    That one is not fused: its decay is rounded to float32 behind the subtraction from 1, not before, and its variance
    is the batch's own, without Bessel's correction. In float32, which Google trained in, it is fused, and the port does
    as it does. The variances are corrected when this ends.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    # Of each norm that ran, in that order: the moving variance, and what the new one keeps of the old one.
    variances: list[tuple[Tensor, Tensor]] = []
    # And how many values the batch had for each of its channels.
    counts: list[float] = []

    def enter(module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        """Note the norm's moving variance before the forward changes it."""
        assert isinstance(module, BatchNorm)
        variance = module.get_buffer("running_var")
        # The product is a tensor of its own, which the forward does not change.
        variances.append((variance, variance * (1 - (module.momentum or 0))))

    def leave(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Note how many values (N x H x W) a channel of the norm has."""
        counts.append(output.numel() / output.shape[1])

    handles = []
    for norm in norms:
        handles.append(norm.register_forward_pre_hook(enter))
        handles.append(norm.register_forward_hook(leave))
    try:
        with _unfused_momentum(norms):
            yield
    finally:
        for handle in handles:
            handle.remove()
    for (variance, old_part), count in zip(variances, counts, strict=True):
        # The other part is the batch's variance times n / (n - 1), Bessel's correction, which is taken back.
        variance.copy_(old_part + (variance - old_part) * ((count - 1) / count))


@contextmanager
def _unfused_momentum(norms: Iterable[BatchNorm]) -> Iterator[None]:
    """Give the batch norms the unfused one's momentum while this lasts."""
    # One with another momentum than the official one has a fault, and keeps it, so that it is found.
    official_norms = [norm for norm in norms if norm.momentum == BATCH_NORM_MOMENTUM]
    for norm in official_norms:
        norm.momentum = UNFUSED_MOMENTUM
    try:
        yield
    finally:
        for norm in official_norms:
            norm.momentum = BATCH_NORM_MOMENTUM
