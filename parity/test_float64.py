"""Gate *float64*: on photographs, in double precision, both sides agree to rounding."""

import pytest

from parity.plugin import raise_unless_passed
from parity.result import LayerResult


@pytest.mark.gate("float64")
def test_float64(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The layer's values agree to float64 rounding."""
    raise_unless_passed(verdict, request)
