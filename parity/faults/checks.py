"""What simpler checks make of the same float32 values: those that people use, called from the library that has them."""

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch


class Seen(NamedTuple):
    """One layer's values (NHWC): the port's and TensorFlow's in float32, and TensorFlow's in float64."""

    layer: str
    actual: np.ndarray
    expected: np.ndarray
    truth: np.ndarray


# Whether a layer passes.
Check = Callable[[Seen], bool]
LOGITS = "final_layer.FC"


def _logits(seen: Seen) -> bool:
    """Return whether the largest difference of the logits is below 1e-5, as the best-known port's converter asks."""
    if seen.layer != LOGITS:
        return True
    largest = np.abs(seen.actual - seen.expected).max()
    # Written so that not a number passes nowhere.
    return bool(largest < 1e-5)


def _assert_close(seen: Seen) -> bool:
    """Return whether torch.testing.assert_close passes, with its own tolerances for float32."""
    actual = torch.from_numpy(seen.actual)
    expected = torch.from_numpy(seen.expected)
    try:
        torch.testing.assert_close(actual, expected)
    except AssertionError:
        return False
    return True


def _allclose(seen: Seen) -> bool:
    """Return whether numpy.allclose passes, with its own tolerances."""
    return np.allclose(seen.actual, seen.expected)


def _largest(seen: Seen) -> bool:
    """Return whether no difference is over 1e-4, as is the practice of Hugging Face's converters."""
    largest = np.abs(seen.actual - seen.expected).max()
    return bool(largest <= 1e-4)


def _cosine(seen: Seen) -> bool:
    """Return whether the cosine of the whole layer is over 0.99."""
    # In float64, so that the sum over a whole layer adds no rounding of its own.
    actual = torch.from_numpy(seen.actual).double().flatten()
    expected = torch.from_numpy(seen.expected).double().flatten()
    return bool(torch.nn.functional.cosine_similarity(actual, expected, dim=0) > 0.99)


def _polygraphy(seen: Seen) -> bool:
    """Return whether Polygraphy's comparison passes, with its own tolerances."""
    from polygraphy.comparator import IterationResult, SimpleCompareFunc
    from polygraphy.logger import G_LOGGER

    # It tells of every layer that it compares.
    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    actual = IterationResult({"layer": seen.actual}, runner_name="")
    expected = IterationResult({"layer": seen.expected}, runner_name="")
    # Its statistics of values that are not finite.
    with np.errstate(invalid="ignore"):
        return bool(SimpleCompareFunc()(actual, expected)["layer"])


def _dynamo(seen: Seen) -> bool:
    """Return whether the comparison of PyTorch's compiler passes, which has the float64 values, too."""
    from torch._dynamo.utils import same

    expected = torch.from_numpy(seen.expected)
    actual = torch.from_numpy(seen.actual)
    truth = torch.from_numpy(seen.truth)
    return same(expected, actual, truth, log_error=lambda *_: None)


CHECKS: Mapping[str, Check] = {
    "logits within 1e-5": _logits,
    "torch.testing.assert_close": _assert_close,
    "numpy.allclose": _allclose,
    "largest difference 1e-4": _largest,
    "cosine over 0.99": _cosine,
    "Polygraphy": _polygraphy,
    "torch._dynamo same": _dynamo,
}


class Panel:
    """All checks, run on one layer after the other; each keeps the first layer that it does not let pass.

    `known` keeps what the checks said of the first values that they saw of each layer, as many trials leave most
    layers as they are.
    """

    def __init__(self, known: dict[str, tuple[np.ndarray, dict[str, bool]]]) -> None:
        self.alarms: dict[str, str] = {}
        self._known = known

    def see(self, seen: Seen) -> None:
        """Run the checks that have raised no alarm yet on one layer."""
        if seen.actual.shape != seen.expected.shape:
            # No check passes another shape; some of them would broadcast it.
            self._alarm(seen.layer)
            return
        first_values, passed = self._known.setdefault(seen.layer, (seen.actual, {}))
        if not np.array_equal(first_values, seen.actual):
            passed = {}
        for name, check in CHECKS.items():
            if name in self.alarms:
                continue
            if name not in passed:
                passed[name] = check(seen)
            if not passed[name]:
                self.alarms[name] = seen.layer

    def crash(self) -> None:
        """Raise the alarm of every check: whoever runs the port notices that it failed, but not where."""
        self._alarm("")

    def _alarm(self, layer: str) -> None:
        """Let every check that has raised no alarm yet raise one at a layer."""
        for name in CHECKS:
            self.alarms.setdefault(name, layer)


logging.getLogger("torch._dynamo").setLevel(logging.CRITICAL)
