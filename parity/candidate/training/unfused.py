"""Moving statistics as the official batch norm in float64 has them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from pnasnet_torch.operations import BATCH_NORM_DECAY, BATCH_NORM_MOMENTUM, BatchNorm

UNFUSED_MOMENTUM = float(np.float32(1 - BATCH_NORM_DECAY))


@contextmanager
def unfused_statistics(model: nn.Module) -> Iterator[None]:
    """In the end, moving statistics are those of the official batch norm in float64, which is not fused: its decay is
    rounded to float32 behind the subtraction from 1, not before, and its variance is the batch's own, without Bessel's
    correction. In float32, which Google trained in, it is fused, and the port does as it does."""
    kept: list[tuple[Tensor, Tensor]] = []
    counts: list[float] = []

    def enter(module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, BatchNorm)
        variance = module.get_buffer("running_var")
        kept.append((variance, variance * (1 - (module.momentum or 0))))

    def leave(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(output.numel() / output.shape[1])

    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    handles = [norm.register_forward_pre_hook(enter) for norm in norms]
    handles += [norm.register_forward_hook(leave) for norm in norms]
    official = [norm for norm in norms if norm.momentum == BATCH_NORM_MOMENTUM]
    for norm in official:
        norm.momentum = UNFUSED_MOMENTUM
    try:
        yield
    finally:
        for norm in official:
            norm.momentum = BATCH_NORM_MOMENTUM
        for handle in handles:
            handle.remove()
    for (variance, before), count in zip(kept, counts, strict=True):
        variance.copy_(before + (variance - before) * ((count - 1) / count))
