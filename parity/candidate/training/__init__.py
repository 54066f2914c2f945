"""The port in training: its values, gradients and steps, observed."""
