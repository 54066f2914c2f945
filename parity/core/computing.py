"""What computing a gate takes and gives: types, and what is done where nobody looks on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from parity.core.result import LayerResult

Results = dict[str, LayerResult]
# The names that were selected, by gate.
Layers = Mapping[str, frozenset[str]]
# Tells what is computed while it is.
Step = Callable[[str], AbstractContextManager[object]]
# Sees each layer as it is judged: the result, the candidate's values and the expected ones (NHWC), which it must not
# change.
Observe = Callable[[LayerResult, np.ndarray, np.ndarray], None]


def no_progress(_description: str) -> AbstractContextManager[object]:
    """Return a step that tells nothing."""
    return nullcontext()


def observe_nothing(_result: LayerResult, _actual: object, _expected: object) -> None:
    """Do nothing with a layer that was judged."""
