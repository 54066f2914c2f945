"""Gate *exact*: in the integer network, where neither framework rounds, both agree bit for bit."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("exact-float32", "exact-float64")
def test_exact(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The layer's values are the same to the last bit."""
    raise_unless_passed(verdict, request)
