"""What a candidate has: its layers and variables, with their shapes and dtypes."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch

from parity.candidate.capture import CandidateError, blamed_on_candidate, run
from parity.candidate.model import candidate_model
from parity.candidate.port import Make, make_model
from parity.core.layers import Network

# `layer` or `variable`, and its name; or `output`, with the layer that is to be what the model gives.
Part = tuple[str, str]
# What each is: its shape, and of a layer the dtype.
Parts = dict[Part, str]


# What the network gives, of which a model may give either, or both.
LOGITS, PROBABILITIES = "final_layer.FC", "final_layer.predictions"
RETURNED = "its logits or its probabilities"


class CandidateParts(NamedTuple):
    """What a candidate was `found` to have: its variables, and those of its `layers` that it reaches, each with its
    shape; and the `failure`, what went wrong in it.

    Official layers that are `unobservable` in it cannot be judged.
    """

    found: Parts
    layers: frozenset[str]
    failure: CandidateError | None
    unobservable: frozenset[str] = frozenset()


def candidate_parts(network: Network, make: Make = make_model, images: int = 0) -> CandidateParts:
    """Return what the candidate that `make` makes has, from a forward of so many `images`.

    Whatever a faulty candidate raises is its result. Raises InputError where the candidate cannot be had.
    """
    parts: Parts = {}
    layers: frozenset[str] = frozenset()
    last: list[torch.Tensor] = []

    def after(name: str, output: torch.Tensor) -> None:
        """Note what a layer gives."""
        parts["layer", name] = _describe(output)
        if name in (LOGITS, PROBABILITIES):
            last.append(output.clone())

    try:
        with blamed_on_candidate():
            candidate = candidate_model(make(network, "float32"))
            layers = candidate.observable
            for name, tensor in candidate.variables().items():
                parts["variable", name] = str(tuple(tensor.shape))
        # On the CPU and not on the meta device, so that shapes and dtypes are those that the real kernels give; without
        # an image, they cost next to nothing.
        returned = run(candidate, torch.zeros(images, 3, network.height, network.width), after=after)
        given = list(_tensors(returned))
        # Without an image all values are alike; the port, of which that is enough, gives its last layer.
        if images and last and given:
            is_one = any(_same_values(tensor, value) for tensor in given for value in last)
            parts["output", LOGITS] = RETURNED if is_one else "other values than these"
    except CandidateError as error:
        return CandidateParts(parts, layers, error)
    return CandidateParts(parts, layers, None)


def _tensors(returned: object) -> Iterator[torch.Tensor]:
    """Yield the tensors in what a model gives."""
    if isinstance(returned, torch.Tensor):
        yield returned
    elif isinstance(returned, Mapping):
        yield from _tensors(list(returned.values()))
    elif isinstance(returned, (list, tuple)):
        for part in returned:
            yield from _tensors(part)


def _same_values(tensor: torch.Tensor, value: torch.Tensor) -> bool:
    """Return whether a tensor has the values of a layer (N, classes), with the background or without it."""
    rows = tensor.flatten(1) if tensor.ndim > 1 else tensor
    layer = value.flatten(1)
    # A model whose weights are still to be loaded may give numbers that are none.
    for part in (layer, layer[:, 1:]):
        if part.shape == rows.shape and torch.allclose(rows, part, 0, 0, equal_nan=True):
            return True
    return False


def _describe(output: torch.Tensor) -> str:
    """Return the shape and dtype of a layer's output as the official graph has them: (H, W, C) or (C), and float32."""
    shape_nhwc = output.permute(0, 2, 3, 1).shape if output.ndim == 4 else output.shape
    # The number of images is left out: a graph has none.
    return f"{tuple(shape_nhwc[1:])} {str(output.dtype).removeprefix('torch.')}"
