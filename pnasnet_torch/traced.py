"""A network as one function of PyTorch's operations, for images of one shape."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx


class Traced:
    """What `network` computes of images like `images`, (N, 3, H, W), as a function that calls no modules.

    On small maps, Python's way through the modules takes longer than some of the convolutions do. The weights are those
    of now: whether later changes of the network's are seen is left open. Raises ValueError for images of another
    shape or dtype: how a map is padded was settled by its size.
    """

    @torch.inference_mode(False)
    @torch.no_grad()
    def __init__(self, network: nn.Module, images: Tensor) -> None:
        example = torch.zeros_like(images)  # no inference tensor, whatever `images` is
        network(example)  # packs weights, which would be operations of the trace
        graph = make_fx(network)(example)
        self._expected = example.shape, example.dtype
        # Not the graph's attributes, which a module looks up by a search.
        self._constants = SimpleNamespace(**dict(graph.named_parameters()), **dict(graph.named_buffers()))
        self._function = type(graph).forward

    def __call__(self, images: Tensor) -> Any:
        """The network's output for `images`."""
        if (images.shape, images.dtype) != self._expected:
            (shape, dtype), found = self._expected, f"{tuple(images.shape)}, {images.dtype}"
            raise ValueError(f"traced for images {tuple(shape)}, {dtype}, found {found}: trace the network for these")
        return self._function(self._constants, images)
