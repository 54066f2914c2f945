"""The port in training, observed."""
