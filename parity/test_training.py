"""Gates *training*, *training-float32*, *statistics*, *loss*, *exact-gradient*, *gradient*, *gradient-float32*, *step*
(--training): both sides train alike."""

import pytest

from parity.core.result import LayerResult
from parity.plugin.running import raise_unless_passed


@pytest.mark.gate("training")
def test_training(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """In training mode the layer's values agree to float64 rounding."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("training-float32")
def test_training_float32(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """In training mode and float32, the port is as near to the float64 values as the official network is."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("statistics")
def test_statistics(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """So are its moving statistics, in float32, after one update and after three."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("loss")
def test_loss(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """This part of the loss is the same on both sides."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("exact-gradient")
def test_exact_gradient(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """Of the integer network, in evaluation, the gradient at the layer, or of the variable, is bit-identical."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("gradient")
def test_gradient(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """The loss's gradient at the layer, or of the variable, agrees to float64 rounding."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("gradient-float32")
def test_gradient_float32(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """In float32, each from the official values around it, the port's gradient is as near to the float64 truth as the
    official network's."""
    raise_unless_passed(verdict, request)


@pytest.mark.gate("step")
def test_step(verdict: LayerResult, request: pytest.FixtureRequest) -> None:
    """After three steps of the optimiser the variable, or what is kept of it, agrees to float64 rounding."""
    raise_unless_passed(verdict, request)
