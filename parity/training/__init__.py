"""Training parity: both networks train on one batch, with the same random draws, and every value and gradient is
compared."""

from parity.training.exact import exact_gradients
from parity.training.judge import judge
from parity.training.names import EXACT, names
from parity.training.verdict import explained_by, localized, verdict

__all__ = ["EXACT", "exact_gradients", "explained_by", "judge", "localized", "names", "verdict"]
