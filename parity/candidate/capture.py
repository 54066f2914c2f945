"""The port's layers, one at a time, as they are computed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.model import CandidateModel, candidate_model
from pnasnet_torch import PNASNet

Inputs = tuple[Tensor, ...]


class CandidateError(Exception):
    """The port raised an error, in `layer` or, if that is empty, outside of any."""

    def __init__(self, layer: str, error: Exception) -> None:
        super().__init__(f"the port fails with {type(error).__name__}: {error}")
        self.layer = layer


class _AllSeen(Exception):
    """Ends a forward when the last layer that was asked for has reported."""


def capture(
    model: PNASNet | CandidateModel,
    images_nhwc: np.ndarray,
    layers: Iterable[str],
    report: Callable[[str, np.ndarray], None],
) -> None:
    """Runs the port as far as needed and calls `report` with each layer's output (NHWC), holding none of them.

    A layer that the port does not have, or does not reach, is not reported. Raises CandidateError for whatever the port
    raises, and if one of `layers` runs twice.
    """
    wanted = set(layers)
    if not wanted:
        return
    seen: set[str] = set()

    def after(name: str, output: Tensor) -> None:
        if name not in wanted:
            return
        if name in seen:
            raise RuntimeError(f"{name} ran twice in one forward")
        seen.add(name)
        report(name, to_nhwc(output))
        if seen == wanted:
            raise _AllSeen

    try:
        run(model, to_nchw(images_nhwc, dtype_of(candidate_model(model).module)), after=after)
    except CandidateError as error:
        if not isinstance(error.__cause__, _AllSeen):
            raise


def run(
    model: PNASNet | CandidateModel,
    images: Tensor,
    before: Callable[[str, Inputs], None] = lambda _name, _inputs: None,
    after: Callable[[str, Tensor], None] = lambda _name, _output: None,
) -> None:
    """One forward that calls `before` with each layer's name and inputs and `after` with its output.

    Raises CandidateError for whatever is raised on the way.
    """
    judged, running = candidate_model(model), ""

    def enters(name: str, inputs: Inputs) -> None:
        nonlocal running
        running = name
        before(name, inputs)

    def leaves(name: str, output: Tensor) -> None:
        nonlocal running
        after(name, judged.value(name, output))
        running = ""

    with _hooks(judged, enters, leaves), torch.inference_mode():
        try:
            judged.predict(images)
        except Exception as error:
            raise CandidateError(running, error) from error


@contextmanager
def _hooks(
    judged: CandidateModel, enters: Callable[[str, Inputs], None], leaves: Callable[[str, Tensor], None]
) -> Iterator[None]:
    handles = []
    for name, module in judged.layers.items():
        handles.append(module.register_forward_pre_hook(lambda _module, inputs, name=name: enters(name, inputs)))
        handles.append(module.register_forward_hook(lambda _module, _inputs, output, name=name: leaves(name, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def dtype_of(model: nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype


def to_nchw(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """(N, H, W, C) to a contiguous (N, C, H, W) tensor of its own memory; other ranks as they are."""
    tensor = torch.from_numpy(array).to(dtype)
    tensor = tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor
    return tensor.clone(memory_format=torch.contiguous_format)


def to_nhwc(output: Tensor) -> np.ndarray:
    """(N, C, H, W) to a contiguous (N, H, W, C) array; other ranks as they are."""
    output = output.permute(0, 2, 3, 1) if output.ndim == 4 else output
    return output.detach().cpu().contiguous().numpy()
