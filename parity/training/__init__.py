"""Training parity: both networks train on one batch, with the same random draws, and every value and gradient is
compared."""

from parity.training.batch import make_batches, with_aux_head
from parity.training.exact import DENSITY, exact_gradients
from parity.training.judge import judge
from parity.training.names import EXACT, IN_FLOAT32, names
from parity.training.verdict import localized, verdict

__all__ = [
    "DENSITY",
    "EXACT",
    "IN_FLOAT32",
    "exact_gradients",
    "judge",
    "localized",
    "make_batches",
    "names",
    "verdict",
    "with_aux_head",
]
