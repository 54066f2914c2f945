"""The official network in training, which remembers what it computed: any number of ports are judged by it."""

from functools import cache

from parity.reference.live_training import LiveTraining
from parity.reference.training import Arrays


class RememberedTraining:
    """What the official network gives in training, computed when it is first asked for, and kept.

    Layers are NHWC, variables in TensorFlow's layouts, all by name.
    """

    untrained = False

    def __init__(self, live: LiveTraining) -> None:
        self.parts = live.parts
        self.integers = live.integers
        self.variables = live.variables
        self.batches = live.batches
        self._live = live
        self._forward = cache(live.forward)
        self._backward = cache(live.backward)
        self._statistics = cache(live.statistics)
        self._steps = cache(live.steps)
        self._errors: Arrays | None = None

    # Each method gives a dictionary of its own: judging takes out of it what was compared.

    def forward(self, dtype: str) -> Arrays:
        """Return each layer's value, on the first batch."""
        return dict(self._forward(dtype))

    def backward(self, dtype: str) -> tuple[Arrays, Arrays]:
        """Return the parts of the loss, and the gradients at each layer and of each variable."""
        losses, gradients = self._backward(dtype)
        return dict(losses), dict(gradients)

    def errors(self, values: Arrays, gradients: Arrays) -> Arrays:
        """Return how far each official gradient in float32 is from that of the same values in float64.

        They are asked for with the official values and gradients in float32, which are the same each time.
        """
        if self._errors is None:
            self._errors = self._live.errors(values, gradients)
        return dict(self._errors)

    def statistics(self) -> dict[int, Arrays]:
        """Return the moving statistics in float32, from zero, by the number of updates."""
        return {count: dict(statistics) for count, statistics in self._statistics().items()}

    def steps(self, count: int) -> Arrays:
        """Return all variables, and what the optimiser and the averages keep, after so many whole steps in float64."""
        return dict(self._steps(count))

    def release(self, dtype: str) -> None:
        """Keep everything: the next port is judged by the same."""
