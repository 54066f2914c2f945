"""What can be wrong with a file of weights; the message says what was found and what was expected."""


class WeightsError(ValueError):
    """Weights that do not fit the network, or a file that does not hold weights."""
