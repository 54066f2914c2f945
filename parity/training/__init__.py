"""Training parity: both networks train on one batch, with the same random draws, and every value and gradient is
compared."""

from parity.training.batch import make_batches, with_aux_head
from parity.training.exact import DENSITY, exact_gradients
from parity.training.judge import judge
from parity.training.names import EXACT, IN_FLOAT32, LAYER_GATES, feeders

__all__ = [
    "DENSITY",
    "EXACT",
    "IN_FLOAT32",
    "LAYER_GATES",
    "exact_gradients",
    "feeders",
    "judge",
    "make_batches",
    "with_aux_head",
]
