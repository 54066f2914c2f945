"""Layers of the candidate run alone on given inputs, and what arrives at them when the candidate runs as a whole."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, dtype_of, run, to_nchw, to_nhwc
from parity.candidate.hooks import Inputs
from parity.candidate.model import CandidateModel, candidate_model
from pnasnet_torch import PNASNet
from tf_reference.layers import IMAGES


class Observed(NamedTuple):
    """One forward of the candidate.

    `givers`: for each input of each layer that ran, the layers (or `images`) whose output that tensor is: none if it is
    no layer's, several if it went through layers that pass it on or change it in place. `inputs` and `outputs` (NHWC)
    of the layers that they were asked for. `error`: what the candidate raised.
    """

    givers: dict[str, tuple[tuple[str, ...], ...]]
    inputs: dict[str, tuple[np.ndarray, ...]]
    outputs: dict[str, np.ndarray]
    error: CandidateError | None


def replay(model: PNASNet | CandidateModel, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return the output (NHWC) of the candidate's `layer` alone on `inputs` (NHWC, or (N, C)), in the model's dtype.

    Raises KeyError if the candidate has no such layer, and whatever the layer raises.
    """
    with torch.inference_mode():
        candidate = candidate_model(model)
        dtype = dtype_of(candidate.module)
        # Each tensor has memory of its own, so that a layer that works in place leaves the inputs as they are.
        tensors = [to_nchw(array, dtype) for array in inputs]
        output = candidate.layers[layer](*tensors)
        return to_nhwc(candidate.value(layer, output))


def replay_in_context(
    model: PNASNet | CandidateModel, images_nhwc: np.ndarray, values_nhwc: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the outputs (NHWC) of layers in one forward on the images, as far as the candidate gets.

    What the layers among `values_nhwc` give is replaced by these values, for all that follows.
    """
    outputs: dict[str, np.ndarray] = {}

    def after(name: str, output: Tensor) -> None:
        """Note what the layer gives, and put the given value into its place."""
        outputs[name] = to_nhwc(output).copy()
        if name in values_nhwc:
            value = to_nchw(values_nhwc[name], output.dtype)
            # Of another shape it is at fault by that alone.
            if value.shape == output.shape:
                output.copy_(value)

    try:
        run(model, to_nchw(images_nhwc, dtype_of(candidate_model(model).module)), after=after)
    except CandidateError:
        return outputs
    return outputs


@contextmanager
def replaced(model: PNASNet | CandidateModel, values_nhwc: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Replace what layers of the model give by `values_nhwc`, by layer, as long as the context lasts."""
    candidate = candidate_model(model)

    def hook(value_nhwc: np.ndarray) -> Callable[[nn.Module, object, Tensor], Tensor]:
        """Return what gives this value in the place of an output, in the dtype and the shape of the module's own."""
        return lambda _module, _inputs, output: to_nchw(value_nhwc, output.dtype).reshape(output.shape)

    handles = []
    for name, value_nhwc in values_nhwc.items():
        layer = candidate.layers[name]
        handles.append(layer.register_forward_hook(hook(value_nhwc)))
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
    """Return what goes from layer to layer in one forward on the images, as far as the candidate gets."""
    observed = Observed({}, {}, {}, None)
    # The layers that gave a tensor, by its id. An id is given again once its tensor is freed, so each entry can tell
    # whether it still means the tensor that it was made for; a weak reference does not keep that from being freed.
    known: defaultdict[int, list[tuple[str, weakref.ref[Tensor]]]] = defaultdict(list)

    def givers_of(tensor: object) -> tuple[str, ...]:
        """Return the layers whose output the tensor is, in the order in which they gave it."""
        entries = known[id(tensor)]
        return tuple(giver for giver, reference in entries if reference() is tensor)

    def before(name: str, inputs: Inputs) -> None:
        """Note who gave each input of a layer, and the inputs where they are asked for."""
        observed.givers[name] = tuple(map(givers_of, inputs))
        if name in inputs_of:
            # Copied, since a later layer may change the tensor in place.
            copies = [to_nhwc(tensor).copy() for tensor in inputs if isinstance(tensor, Tensor)]
            observed.inputs[name] = tuple(copies)

    def after(name: str, output: Tensor) -> None:
        """Note that the layer gave this tensor, and its values where they are asked for."""
        entry = (name, weakref.ref(output))
        known[id(output)].append(entry)
        if name in outputs_of:
            observed.outputs[name] = to_nhwc(output).copy()

    images = to_nchw(images_nhwc, dtype_of(candidate_model(model).module))
    after(IMAGES, images)
    try:
        run(model, images, before, after)
    except CandidateError as error:
        return observed._replace(error=error)
    return observed
