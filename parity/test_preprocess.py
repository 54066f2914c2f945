"""Gate *preprocess*: from the file's bytes on, the pixels that enter the network are the official ones, bit for bit."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("preprocess", of="images")
def test_preprocess(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The image's decoded values and the network's input are the same to the last bit."""
    raise_unless_passed(verdict, request)
