"""What simpler checks make of the same float32 values: those that people use, called from the library that has them."""

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch


class Seen(NamedTuple):
    """One layer's values: the port's and TensorFlow's in float32, and TensorFlow's in float64."""

    layer: str
    actual: np.ndarray
    expected: np.ndarray
    truth: np.ndarray


Check = Callable[[Seen], bool]
LOGITS = "final_layer.FC"


def _logits(seen: Seen) -> bool:
    """The best-known port's converter: the largest difference of the logits below 1e-5."""
    return seen.layer != LOGITS or bool(np.abs(seen.actual - seen.expected).max() < 1e-5)


def _assert_close(seen: Seen) -> bool:
    try:
        torch.testing.assert_close(torch.from_numpy(seen.actual), torch.from_numpy(seen.expected))
    except AssertionError:
        return False
    return True


def _allclose(seen: Seen) -> bool:
    return np.allclose(seen.actual, seen.expected)


def _largest(seen: Seen) -> bool:
    """The practice of Hugging Face's converters."""
    return bool(np.abs(seen.actual - seen.expected).max() <= 1e-4)


def _cosine(seen: Seen) -> bool:
    actual, expected = (torch.from_numpy(array).double().flatten() for array in (seen.actual, seen.expected))
    return bool(torch.nn.functional.cosine_similarity(actual, expected, dim=0) > 0.99)


def _polygraphy(seen: Seen) -> bool:
    from polygraphy.comparator import IterationResult, SimpleCompareFunc
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    pair = (IterationResult({"layer": array}, runner_name="") for array in (seen.actual, seen.expected))
    with np.errstate(invalid="ignore"):  # its statistics of values that are not finite
        return bool(SimpleCompareFunc()(*pair)["layer"])


def _dynamo(seen: Seen) -> bool:
    from torch._dynamo.utils import same

    expected, actual, truth = (torch.from_numpy(array) for array in (seen.expected, seen.actual, seen.truth))
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
    """Runs all checks on one layer after the other; each keeps the first layer that it does not let pass.

    `known` keeps what the checks said of the first values that they saw of each layer, as many trials leave most
    layers as they are.
    """

    def __init__(self, known: dict[str, tuple[np.ndarray, dict[str, bool]]]) -> None:
        self.alarms: dict[str, str] = {}
        self._known = known

    def see(self, seen: Seen) -> None:
        if seen.actual.shape != seen.expected.shape:
            self.alarms |= {name: seen.layer for name in CHECKS if name not in self.alarms}
            return
        first, passed = self._known.setdefault(seen.layer, (seen.actual, {}))
        if not np.array_equal(first, seen.actual):
            passed = {}
        for name, check in CHECKS.items():
            if name not in self.alarms:
                if name not in passed:
                    passed[name] = check(seen)
                if not passed[name]:
                    self.alarms[name] = seen.layer

    def crash(self) -> None:
        """The port failed: whoever runs it notices, but not where."""
        self.alarms |= {name: "" for name in CHECKS if name not in self.alarms}


logging.getLogger("torch._dynamo").setLevel(logging.CRITICAL)
