"""Gate *float64*: on photographs, in double precision, both sides agree to rounding."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("float64")
def test_float64(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The layer's values agree to float64 rounding."""
    raise_unless_passed(verdict, request)
