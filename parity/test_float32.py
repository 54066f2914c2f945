"""Gate *float32*: on photographs, in single precision, the port is as near to the truth as TensorFlow itself."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("float32")
def test_float32(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The layer's distance from the float64 truth is that of the official network, or less."""
    raise_unless_passed(verdict, request)
