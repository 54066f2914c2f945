"""Training parity: both networks train on one batch, with the same random draws, and every value and gradient is
compared."""
