"""The port's layers, one at a time, as they are computed."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from parity.layers import layer_modules
from pnasnet_torch import PNASNet


class _AllSeen(Exception):
    """Ends a forward when the last layer that was asked for has reported."""


def capture(
    model: PNASNet, images_nhwc: np.ndarray, layers: Iterable[str], report: Callable[[str, np.ndarray], None]
) -> None:
    """Runs the port as far as needed and calls `report` with each layer's output (NHWC), holding none of them.

    A layer that the port does not have, or does not reach, is not reported. Raises RuntimeError if one runs twice.
    """
    wanted = set(layers)
    if not wanted:
        return
    seen: set[str] = set()

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if name in seen:
                raise RuntimeError(f"{name} ran twice in one forward")
            seen.add(name)
            report(name, to_nhwc(output))
            if seen == wanted:
                raise _AllSeen

        return hook

    modules = layer_modules(model)
    handles = [modules[name].register_forward_hook(hook_for(name)) for name in wanted & modules.keys()]
    dtype = next(model.parameters()).dtype
    images = torch.from_numpy(images_nhwc).to(dtype).permute(0, 3, 1, 2).contiguous()
    try:
        with torch.inference_mode():
            model.predict(images)
    except _AllSeen:
        pass
    finally:
        for handle in handles:
            handle.remove()


def to_nhwc(output: Tensor) -> np.ndarray:
    """(N, C, H, W) to a contiguous (N, H, W, C) array; other ranks as they are."""
    output = output.permute(0, 2, 3, 1) if output.ndim == 4 else output
    return output.detach().cpu().contiguous().numpy()
