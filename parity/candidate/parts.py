"""What a candidate has: its layers and variables, with their shapes and dtypes."""

from typing import NamedTuple

import torch

from parity.candidate.capture import CandidateError, run
from parity.candidate.model import candidate_model
from parity.candidate.port import Make, make_model
from parity.core.layers import Network

# `layer` or `variable`, and its name.
Part = tuple[str, str]
# What each is: its shape, and of a layer the dtype.
Parts = dict[Part, str]


class CandidateParts(NamedTuple):
    """The port's variables, and those of its `layers` that it reaches, with their shapes; and what went wrong in it.

    Official layers that are `unobservable` in it cannot be judged.
    """

    found: Parts
    layers: frozenset[str]
    failure: CandidateError | None
    unobservable: frozenset[str] = frozenset()


def candidate_parts(network: Network, make: Make = make_model, images: int = 0) -> CandidateParts:
    """What the port has, from a forward of so many `images`. Whatever a faulty port raises is its result."""
    found: Parts = {}

    def after(name: str, output: torch.Tensor) -> None:
        found["layer", name] = _describe(output)

    try:
        judged = candidate_model(make(network, "float32"))
        layers = frozenset(judged.layers)
        found |= {("variable", name): str(tuple(tensor.shape)) for name, tensor in judged.variables().items()}
    except Exception as error:
        return CandidateParts(found, frozenset(), CandidateError("", error))
    try:
        run(judged, torch.zeros(images, 3, network.height, network.width), after=after)
    except CandidateError as error:
        return CandidateParts(found, layers, error)
    return CandidateParts(found, layers, None)


def _describe(output: torch.Tensor) -> str:
    shape = output.permute(0, 2, 3, 1).shape if output.ndim == 4 else output.shape
    return f"{tuple(shape[1:])} {str(output.dtype).removeprefix('torch.')}"
