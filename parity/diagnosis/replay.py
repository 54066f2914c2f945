"""Layers of the port run alone on given inputs, and what arrives at them when the port runs as a whole."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, Inputs, dtype_of, run, to_nchw, to_nhwc
from parity.candidate.model import CandidateModel, candidate_model
from pnasnet_torch import PNASNet
from tf_reference.layers import IMAGES


class Observed(NamedTuple):
    """One forward of the port. `givers`: for each input of each layer that ran, the layers (or `images`) whose output
    that tensor is: none if it is no layer's, several if it went through layers that pass it on or change it in place.
    `inputs` and `outputs` (NHWC) of the layers that they were asked for. `error`: what the port raised."""

    givers: dict[str, tuple[tuple[str, ...], ...]]
    inputs: dict[str, tuple[np.ndarray, ...]]
    outputs: dict[str, np.ndarray]
    error: CandidateError | None


def replay(model: PNASNet | CandidateModel, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The output (NHWC) of the port's `layer` alone on `inputs` (NHWC, or (N, C)), converted to the model's dtype.

    Raises KeyError if the port has no such layer, and whatever the layer raises.
    """
    with torch.inference_mode():
        judged = candidate_model(model)
        dtype = dtype_of(judged.module)
        return to_nhwc(judged.value(layer, judged.layers[layer](*(to_nchw(array, dtype) for array in inputs))))


@contextmanager
def replaced(model: PNASNet | CandidateModel, values_nhwc: Mapping[str, np.ndarray]) -> Iterator[None]:
    """The model, with these values in the place of what the layers give."""
    judged = candidate_model(model)

    def hook(value_nhwc: np.ndarray) -> Callable[[nn.Module, object, Tensor], Tensor]:
        return lambda _module, _inputs, output: to_nchw(value_nhwc, output.dtype).reshape(output.shape)

    handles = [judged.layers[name].register_forward_hook(hook(value)) for name, value in values_nhwc.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def observe(
    model: PNASNet | CandidateModel,
    images_nhwc: np.ndarray,
    inputs_of: Collection[str] = (),
    outputs_of: Collection[str] = (),
) -> Observed:
    """What goes from layer to layer in one forward, as far as the port gets."""
    seen = Observed({}, {}, {}, None)
    known: defaultdict[int, list[tuple[str, weakref.ref[Tensor]]]] = defaultdict(list)

    def before(name: str, inputs: Inputs) -> None:
        seen.givers[name] = tuple(
            tuple(giver for giver, tensor in known[id(given)] if tensor() is given) for given in inputs
        )
        if name in inputs_of:
            seen.inputs[name] = tuple(to_nhwc(given).copy() for given in inputs if isinstance(given, Tensor))

    def after(name: str, output: Tensor) -> None:
        known[id(output)].append((name, weakref.ref(output)))
        if name in outputs_of:
            seen.outputs[name] = to_nhwc(output).copy()

    images = to_nchw(images_nhwc, dtype_of(candidate_model(model).module))
    after(IMAGES, images)
    try:
        run(model, images, before, after)
    except CandidateError as error:
        return seen._replace(error=error)
    return seen
