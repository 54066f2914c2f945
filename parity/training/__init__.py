"""Training parity: both networks train on one batch, with the same random draws, and every value and gradient is
compared."""

from parity.training.batch import make_batches, with_aux_head
from parity.training.judge import judge
from parity.training.names import LAYER_GATES, feeders

__all__ = ["LAYER_GATES", "feeders", "judge", "make_batches", "with_aux_head"]
