"""A candidate's layers, one at a time, as they are computed."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.hooks import Inputs
from parity.candidate.model import CandidateModel, candidate_model
from parity.core.errors import InputError, lacks_memory
from parity.core.files import reason
from pnasnet_torch import PNASNet

# What a system says that has no room or no files left, for which no candidate is to blame.
NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)))


class CandidateError(Exception):
    """An error that the candidate raised, in `layer` or, if that is empty, outside of any."""

    def __init__(self, layer: str, error: BaseException) -> None:
        super().__init__(f"the candidate fails with {type(error).__name__}: {error}")
        self.layer = layer


@contextmanager
def blamed_on_candidate(layer: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Turn whatever the candidate raises while this lasts, in the `layer` that is running then, into a CandidateError.

    What was given, or this machine, is at fault for an InputError, which is raised as it is, and for lack of memory.
    """
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if lacks_memory(error):
            raise InputError(f"this machine has too little memory for the candidate: {error}") from error
        if any(words in str(error) for words in NO_ROOM):
            raise InputError(f"this machine lacks what the candidate needs: {reason(str(error))}") from error
        raise CandidateError(layer(), error) from error


class _AllSeen(Exception):
    """The end of a forward whose last layer that was asked for has been reported."""


def capture(
    model: PNASNet | CandidateModel,
    images_nhwc: np.ndarray,
    layers: Iterable[str],
    report: Callable[[str, np.ndarray], None],
) -> None:
    """Run the candidate as far as needed and call `report` with each layer's output (NHWC), holding none of them.

    A layer that the candidate does not have, or does not reach, is not reported. Raises CandidateError for whatever the
    candidate or `report` raises, and if one of `layers` runs twice.
    """
    wanted = set(layers)
    if not wanted:
        return
    seen: set[str] = set()

    def after(name: str, output: Tensor) -> None:
        """Report the layer if it is wanted, and end the forward behind the last one."""
        if name not in wanted:
            return
        # Which of its outputs would be judged would be a matter of chance.
        if name in seen:
            raise RuntimeError(f"{name} ran twice in one forward")
        seen.add(name)
        # Not under a name of its own: the error below holds this frame, and with it what has a name here.
        report(name, to_nhwc(output))
        if seen == wanted:
            # An error is the only way out of a forward; what lies behind would be computed for nobody.
            raise _AllSeen

    images = to_nchw(images_nhwc, dtype_of(candidate_model(model).module))
    try:
        run(model, images, after=after)
    except CandidateError as error:
        if not isinstance(error.__cause__, _AllSeen):
            raise


def run(
    model: PNASNet | CandidateModel,
    images: Tensor,
    before: Callable[[str, Inputs], None] = lambda _name, _inputs: None,
    after: Callable[[str, Tensor], None] = lambda _name, _output: None,
) -> object:
    """Run one forward of images (N, 3, H, W) of the candidate, look at each layer before and after it, and return what
    the model gives.

    `before` is called with its name and inputs, `after` with its name and value. Raises CandidateError for whatever is
    raised on the way.
    """
    candidate = candidate_model(model)
    running = ""

    def enters(name: str, inputs: Inputs) -> None:
        nonlocal running
        running = name
        before(name, inputs)

    def leaves(name: str, output: Any) -> None:
        nonlocal running
        after(name, candidate.value(name, output))
        # Only now: what `after` raises belongs to the layer, what is raised between two layers to none.
        running = ""

    with candidate.watched(images, enters, leaves), blamed_on_candidate(lambda: running):
        return candidate.predict(images)


def dtype_of(model: nn.Module) -> torch.dtype:
    """Return the dtype of a model's parameters, which is also that of the images that it takes."""
    return next(model.parameters()).dtype


def to_nchw(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Return an array (N, H, W, C) as a contiguous tensor (N, C, H, W); other ranks keep their axes.

    The tensor has memory of its own, so that what a candidate changes in place is not changed in the array.
    """
    tensor = torch.from_numpy(array).to(dtype)
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2)
    return tensor.clone(memory_format=torch.contiguous_format)


def to_nhwc(output: Tensor) -> np.ndarray:
    """Return a tensor (N, C, H, W) as a contiguous array (N, H, W, C); other ranks keep their axes.

    The array may share the tensor's memory: whoever keeps it has to copy it.
    """
    if output.ndim == 4:
        output = output.permute(0, 2, 3, 1)
    return output.detach().cpu().contiguous().numpy()
