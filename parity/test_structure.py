"""Gate *structure*: both sides have the same layers and variables, with the same shapes and dtypes."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("structure")
def test_structure(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The layer exists on both sides, with the same shape and dtype."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("structure", of="blocks")
def test_same_parts(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The block has the same layers and variables on both sides, nothing missing and nothing extra."""
    raise_unless_passed(verdict, request)
