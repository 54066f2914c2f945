"""Gate *imagenet*: on the validation set, image by image, the port answers as the official network does."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("imagenet", of="validation")
def test_imagenet(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """Every image was evaluated, and the sides' logits differ, and answers flip, by no more than rounding explains."""
    raise_unless_passed(verdict, request)
